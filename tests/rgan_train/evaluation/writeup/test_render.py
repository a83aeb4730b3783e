"""A document as Markdown and as LaTeX."""

import re
import shutil
import subprocess

import pytest
from support.requirements import require_tool
from support.writeups import SHA256

from rgan_train.evaluation.writeup.document import (
    Grid,
    Heading,
    Listing,
    Paragraph,
    state,
    texts,
    without_marks,
)
from rgan_train.evaluation.writeup.render import to_latex, to_markdown

ODD = r"a_b & 5 % #1 {x} $y$ ~^\d <z> | [0] × ± − – → σ"
BLOCKS = [
    Heading("Top", 1),
    Heading(f"Section {ODD}"),
    Paragraph(f"Text {ODD}. {state('dose & 50 %')}."),
    Listing([ODD, "[first", f"SHA-256 {SHA256}"]),
    Grid(f"Caption {ODD}", ("no.", "what"), (0.2, 0.8), [("1", ODD), ("[2]", state("x"))]),
]


def unescape_latex(text):
    """Undo what ``escape_latex`` does."""
    for code, mark in {
        r"\textbackslash{}": "\0",
        r"\textasciicircum{}": "^",
        r"\textasciitilde{}": "~",
        r"\textless{}": "<",
        r"\textgreater{}": ">",
        r"\textbar{}": "|",
        r"\allowbreak{}": "",
        "{[}": "[",
        "{]}": "]",
        r"$\times$": "×",
        r"$\pm$": "±",
        "$-$": "−",
        "--": "–",
        r"$\rightarrow$": "→",
        r"$\sigma$": "σ",
    }.items():
        text = text.replace(code, mark)
    return re.sub(r"\\([&%$#_{}])", r"\1", text).replace("\0", "\\")


def test_all_text_is_in_both():
    for rendered in (
        unescape_latex(to_latex(BLOCKS)),
        re.sub(r"\\(.)", r"\1", to_markdown(BLOCKS)),
    ):
        for block in BLOCKS:
            for text in texts(block):
                for part in re.split(r"\[state: |\]\.?$", text):
                    assert part in rendered


def test_marks_are_bold():
    text = "Known. " + state("dose & 50 %") + "."
    assert to_markdown([Paragraph(text)]) == r"Known. **\[state: dose & 50 %\]**." + "\n"
    assert r"Known. \textbf{{[}state: dose \& 50 \%{]}}." in to_latex([Paragraph(text)])
    assert without_marks(text) == "Known."


def test_hashes_may_be_broken_in_latex():
    text = to_latex([Paragraph(SHA256)])
    pieces = text.split(r"\begin{document}")[1].split(r"\allowbreak{}")
    assert len(pieces) == 8
    assert max(len(piece.split("\n")[0]) for piece in pieces) <= 8


def test_no_command_is_left_open():
    text = re.sub(r"\\[{}]", "", to_latex(BLOCKS))
    assert text.count("{") == text.count("}")
    for kind in ("document", "longtable", "itemize"):
        assert text.count(f"\\begin{{{kind}}}") == text.count(f"\\end{{{kind}}}") == 1


def test_markdown_tables_have_their_columns():
    rows = [line for line in to_markdown(BLOCKS).splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}


def test_it_compiles(tmp_path):
    require_tool("pdflatex")
    (tmp_path / "text.tex").write_text(to_latex(BLOCKS))
    command = [shutil.which("pdflatex"), "-interaction=nonstopmode", "-halt-on-error", "text.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("render", [to_markdown, to_latex])
def test_a_name_with_line_breaks_stays_on_one_line(render):
    grid = Grid("c", ("a", "b"), (0.5, 0.5), [("one\ntwo", "three")])
    assert "one two" in render([grid])

"""The tables of docs/results/spacing.md."""

from __future__ import annotations

import json
from pathlib import Path

from result_page import fill_page

from spacings.features import features_path, is_counted
from spacings.figures import Figures, Key
from spacings.gates import Gate
from spacings.plan import Plan, directions
from spacings.written import packaged_models, read_written

Measured = dict[Key, dict[str, float]]
MET = {True: "yes", False: "**no**", None: "open"}


def write_page(page: Path, plan: Plan, figures: Figures, gates: list[Gate]) -> None:
    """Fill the tables of the page."""
    blocks = {"gates": gates_table(gates), "features": features_tables(plan)}
    for pair, entry in plan["pairs"].items():
        for way in directions(plan, pair):
            title = f"**{entry['title']}, {way[0]} to {way[1]}, resampled"
            name = f"{pair} {way[0]}-{way[1]}"
            blocks[name] = (
                f"{title}**: PSNR in dB / SSIM\n\n{spacing_table(figures, pair, way)}\n\n"
                f"{title}, with noise**: PSNR in dB\n\n{noise_table(figures, pair, way)}"
            )
    blocks["reduced"] = reduced_table(figures)
    blocks["written"] = written_table(plan)
    fill_page(page, {f"table {name}": block for name, block in blocks.items()})


def spacing_table(figures: Figures, pair: str, way: tuple[str, str]) -> str:
    """Return PSNR and SSIM by spacing, without added noise."""
    entry = figures.plan["pairs"][pair]
    keys = [(spacing, 0) for spacing in sorted([*entry["spacings"], *entry["shown"]])]
    native = entry["spacings"][0]
    heads = [
        f"{mm} mm{' (own)' if mm == native else ' (no claim)' if mm < native else ''}"
        for mm, _ in keys
    ]
    lines = table_head(["method", *heads])
    for name, measured in rows(figures, pair, way).items():
        lines.append(table_line(name, [show(measured.get(key), with_ssim=True) for key in keys]))
    return "\n".join(lines)


def noise_table(figures: Figures, pair: str, way: tuple[str, str]) -> str:
    """Return PSNR by spacing and noise."""
    spacings = figures.plan["pairs"][pair]["spacings"]
    keys = [(mm, noise) for mm in spacings for noise in figures.plan["noise"] if noise]
    lines = table_head(["method", *(f"{mm} mm, {noise} HU" for mm, noise in keys)])
    for name, measured in rows(figures, pair, way).items():
        lines.append(table_line(name, [show(measured.get(key)) for key in keys]))
    return "\n".join(lines)


def rows(figures: Figures, pair: str, way: tuple[str, str]) -> dict[str, Measured]:
    """Return the lines of a table: input, packaged model, and both models of each method."""
    lines = {"input": figures.of(pair, way, "input")}
    if figures.plan["pairs"][pair].get("packaged"):
        lines["packaged, format 1"] = figures.of(pair, way, "packaged")
    for row in figures.plan["row"]:
        lines[f"{row}, made for each spacing alone"] = figures.alone(pair, way, row)
        lines[f"**{row}, one model for all**"] = figures.of(pair, way, f"{row}, aware")
    return lines


def reduced_table(figures: Figures) -> str:
    """Return what models show at the scan's own pixels that never saw pixels as fine."""
    groups = [group for group in figures.plan["train"] if "reduced" in group["kinds"]]
    heads = ["method", "direction", "input", "trained on coarser pixels only"]
    lines = table_head([*heads, "trained on these too, one model for all", "made for these alone"])
    for pair in dict.fromkeys(group["pair"] for group in groups):
        key = (figures.plan["pairs"][pair]["spacings"][0], 0)
        for row in dict.fromkeys(row for g in groups if g["pair"] == pair for row in g["rows"]):
            for way in directions(figures.plan, pair):
                found = (
                    figures.of(pair, way, "input"),
                    figures.reduced(pair, way, row),
                    figures.of(pair, way, f"{row}, aware"),
                    figures.alone(pair, way, row),
                )
                cells = [show(measured.get(key), with_ssim=True) for measured in found]
                lines.append(table_line(row, [f"{way[0]} to {way[1]}", *cells]))
    return "\n".join(lines)


def features_tables(plan: Plan) -> str:
    """Return the counts of reproducible features."""
    blocks = []
    for way in directions(plan, plan["features"]["pair"]):
        if not is_counted(plan, way):
            continue
        groups = json.loads(features_path(*way).read_text())["groups"]
        lines = table_head(["method", *(name.replace("[", r"\[") for name in groups)])
        for kind, title in (
            ("input", "input"),
            ("alone", "made for this spacing alone"),
            ("aware", "one model for all"),
        ):
            counts = [group[kind] for group in groups.values()]
            texts = [
                f"{c['features']:,} ({c['interval'][0]:,.0f} to {c['interval'][1]:,.0f})"
                for c in counts
            ]
            lines.append(table_line(title, texts))
        blocks.append(f"**{way[0]} to {way[1]}**\n\n" + "\n".join(lines))
    return "\n\n".join(blocks) or "Not measured yet."


def written_table(plan: Plan) -> str:
    """Return what `rgan-harmonize run` wrote, beside the same models in memory."""
    heads = ["model", "pixel spacing", "in memory", "written files"]
    lines = table_head([*heads, "difference, dB", "largest difference of a pixel, HU"])
    for packaged in packaged_models(plan):
        for row in read_written(packaged, plan):
            cells = [row["status"], "", "", ""]
            if row["status"] == "done":
                memory, written = row["memory"], row["written"]
                cells = [show(figure, with_ssim=True) for figure in (memory, written)]
                cells.append(f"{written['psnr_db'] - memory['psnr_db']:+.3f}")
                cells.append(f"{row['largest_difference_hu']:.2f}")
            lines.append(table_line(packaged.model, [f"{row['spacing']} mm", *cells]))
    return "\n".join(lines) if len(lines) > 2 else "Not measured yet."


def gates_table(gates: list[Gate]) -> str:
    """Return all gates."""
    lines = table_head(["what", "found", "met"])
    for gate in gates:
        lines.append(table_line(gate.what, [gate.found, MET[gate.is_met]]))
    return "\n".join(line.replace("[", r"\[") for line in lines)


def show(figure: dict[str, float] | None, *, with_ssim: bool = False) -> str:
    """Return PSNR, and SSIM if asked for."""
    if figure is None:
        return ""
    return f"{figure['psnr_db']:.2f}" + (f" / {figure['ssim']:.4f}" if with_ssim else "")


def table_head(names: list[str]) -> list[str]:
    """Return the first two lines of a table."""
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def table_line(name: str, cells: list[str]) -> str:
    """Return one line of a table."""
    return f"| {name} | {' | '.join(cells)} |"

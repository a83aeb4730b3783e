"""Settings of the documentation site, which `make docs` builds."""

from importlib import metadata

project = "rgan"
author = "the rgan-sdk authors"
copyright = f"2026 {author}"  # noqa: A001
version = release = metadata.version("rgan-sdk")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
]

myst_heading_anchors = 6  # links to headings, as GitHub has them
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
add_module_names = False
python_maximum_signature_line_length = 88
maximum_signature_line_length = 88

html_theme = "furo"  # brings its fonts, styles and scripts along: a page asks no other server
html_title = "rgan"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

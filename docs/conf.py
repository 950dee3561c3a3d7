"""How Sphinx makes the documentation: ``make docs``.

Pages are Markdown, so that they can be read where they lie as well; the gallery runs every script of examples/.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("circuits", "network", "sim", "validation")
# The gallery begins with these; whatever else lies in examples/ follows by name.
FIRST = (
    "output_error_circuit",
    "learning_without_symmetric_weights",
    "feedback_shutdown_circuit",
    "where_the_circuit_works",
    "order_of_events",
)

project = "hebb"
author = "the authors of hebb"
copyright = "the authors of hebb"
html_title = "hebb"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "myst_parser", "sphinx_gallery.gen_gallery"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "furo"
html_copy_source = False
html_show_sphinx = False

# Docstrings: numpydoc sections; `name` is an object of the package where there is one, and only type where not.
default_role = "py:obj"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the sections say types in words, with shapes
autodoc_preserve_defaults = True
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_attributes_as_param_list = True

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = [
    "config.cache",  # the order of the gallery is a function, which no cache can hold
    "ref.python",  # several modules have a class Run or Settings: the page named first is linked
    "myst.header",  # pages that commands write begin where they like
]


def _order(script: str) -> tuple[int, str]:
    name = Path(script).stem
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",  # run them all
    "within_subsection_order": _order,
    "abort_on_example_error": True,
    "capture_repr": (),  # what a script prints, and its figures
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
}


def escape_bars(app, what, name, obj, options, lines):
    """|h| is an absolute value in this package, and a substitution in reStructuredText."""
    for i, line in enumerate(lines):
        parts = re.split(r"(``.*?``)", line)
        lines[i] = "".join(part if part.startswith("``") else part.replace("|", r"\|") for part in parts)


def link_names(app, doctree):
    """`network.reference.present` in a page becomes a link to it, and stays readable where nothing renders it."""
    for literal in list(doctree.findall(nodes.literal)):
        text = literal.astext()
        if literal.get("classes") or isinstance(literal.parent, nodes.reference):
            continue
        if re.fullmatch(rf"({'|'.join(FOLDERS)})(\.\w+)+", text):
            link = pending_xref("", refdomain="py", reftype="obj", reftarget=text, refexplicit=False, refwarn=False)
            link["refdoc"] = app.env.docname if hasattr(app.env, "docname") else ""
            literal.replace_self(link)
            link += literal


def setup(app):
    app.connect("autodoc-process-docstring", escape_bars, priority=100)  # before numpydoc
    app.connect("doctree-read", link_names)

"""A report as one HTML file that needs nothing else, figures inside it, or as Markdown with its figures beside it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources

import jinja2
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from circuits.figures import figure_of
from sim.environment import versions
from sim.figures import svg_of
from validation.claims import Claim

WORDS = 60  # a cell with more letters than this is a sentence


@dataclass(frozen=True)
class Picture:
    """A figure with its caption; `source` holds the whole image as a data URI."""

    source: str
    caption: str

    @property
    def svg(self) -> bytes:
        """The image as a file."""
        return base64.b64decode(self.source.partition(",")[2])

    @classmethod
    def of(cls, drawing: Axes | Figure, caption: str) -> "Picture":
        figure = drawing if isinstance(drawing, Figure) else figure_of(drawing)
        return cls("data:image/svg+xml;base64," + base64.b64encode(svg_of(figure)).decode(), caption)


@dataclass(frozen=True)
class Section:
    """A part of a report: paragraphs, a table, figures, commands, each left out where empty."""

    title: str
    text: Sequence[str] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    figures: Sequence[Picture] = ()
    code: str = ""

    @classmethod
    def of_claims(cls, title: str, claims: Sequence[Claim], text: Sequence[str] = ()) -> "Section":
        """A table of claims, in columns that fit on a page."""
        rows = [(c.name, c.verdict, c.shown, c.bound, f"{c.statement} ({c.source}.) {c.note}".strip()) for c in claims]
        return cls(title, text, ("claim", "verdict", "measured", "bound", "what it says, and what was found"), rows)

    def is_words(self, column: int) -> bool:
        """Whether a column of the table holds sentences, which may wrap."""
        return any(len(row[column]) > WORDS for row in self.rows)


@dataclass(frozen=True)
class Report:
    """A page: title, introduction, sections."""

    title: str
    introduction: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=tuple)

    def html(self) -> str:
        """The page, with everything a reader typed or a run measured escaped."""
        template = resources.files("validation").joinpath("report.html").read_text(encoding="utf-8")
        footer = "Made with " + ", ".join(f"{name} {version}" for name, version in versions().items()) + "."
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
        return environment.from_string(template).render(**vars(self), footer=footer)

    def markdown(self, name: str) -> dict[str, str | bytes]:
        """The same for a repository: file names with their content, ``name.md`` first, then figures as SVG."""
        parts, files = [f"# {self.title}", *self.introduction], {}
        for section in self.sections:
            parts += [f"## {section.title}", *section.text]
            if section.rows:
                lines = [section.header, ["---"] * len(section.header), *section.rows]
                parts.append("\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines))
            for picture in section.figures:
                file = f"{name}-{len(files) + 1}.svg"
                files[file] = picture.svg
                parts += [f"![{self.title}]({file})", picture.caption]
            if section.code:
                parts.append("\n".join("    " + line for line in section.code.splitlines()))
        parts.append("Made with " + ", ".join(f"{each} {version}" for each, version in versions().items()) + ".")
        return {f"{name}.md": "\n\n".join(parts) + "\n", **files}


def _cell(text: str) -> str:
    """Text that stays in its cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")

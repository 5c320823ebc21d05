"""Directives that write reference pages from the code, so that they never grow old.

``{params-table} module:Model`` lists the fields of a params model;
``{cli-reference}`` lists the commands of ``napari-mesmerize`` with their options.
"""

import importlib
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def _cell(text: object) -> str:
    return " ".join(str(text).replace("|", "\\|").split())


def _table(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> list[str]:
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return [*lines, ""]


class _MarkdownDirective(SphinxDirective):
    """A directive whose content is Markdown made from the code."""

    def markdown(self) -> list[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        holder = nodes.container()
        lines = StringList(self.markdown(), source=self.env.docname)
        self.state.nested_parse(lines, self.content_offset, holder, match_titles=1)
        return holder.children


def _limits(schema: dict[str, object]) -> str:
    words = {
        "minimum": ">= {}",
        "exclusiveMinimum": "> {}",
        "maximum": "<= {}",
        "exclusiveMaximum": "< {}",
        "multipleOf": "multiple of {}",
    }
    parts = [text.format(schema[key]) for key, text in words.items() if key in schema]
    if "enum" in schema:
        parts.append("one of " + ", ".join(f"`{value}`" for value in schema["enum"]))
    return ", ".join(parts)


class ParamsTable(_MarkdownDirective):
    """``{params-table} napari_mesmerize.motion:RigidParams``."""

    required_arguments = 1

    def markdown(self) -> list[str]:
        module, name = self.arguments[0].split(":")
        model = getattr(importlib.import_module(module), name)
        fields = model.model_json_schema()["properties"]
        rows = [
            (
                f"`{field}`",
                f"`{schema.get('default')}`",
                schema.get("unit", ""),
                _limits(schema),
                schema.get("description", "")
                + (f" (also known as `{schema['also']}`)" if "also" in schema else ""),
            )
            for field, schema in fields.items()
        ]
        return _table(("parameter", "default", "unit", "range", "meaning"), rows)


class CliReference(_MarkdownDirective):
    """``{cli-reference}``: all commands and their options."""

    def markdown(self) -> list[str]:
        import typer

        from napari_mesmerize.cli.commands import app

        return self._command(typer.main.get_command(app), ["napari-mesmerize"])

    def _command(self, command: Any, words: list[str]) -> list[str]:
        context = command.context_class(command, info_name=" ".join(words))
        commands = getattr(command, "commands", None)
        if commands is not None:
            lines: list[str] = []
            for name, inner in commands.items():
                if not inner.hidden:
                    lines += self._command(inner, [*words, name])
            return lines
        usage = command.get_usage(context).removeprefix("Usage: ")
        lines = [f"## `{' '.join(words[1:])}`", "", command.help or "", ""]
        lines += ["```text", " ".join(usage.split()), "```", ""]
        rows = []
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record is None:
                record = (parameter.make_metavar(context), parameter.help or "")
            rows.append((f"`{record[0].strip()}`", record[1]))
        return lines + _table(("argument or option", "meaning"), rows)


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directives."""
    app.add_directive("params-table", ParamsTable)
    app.add_directive("cli-reference", CliReference)
    return {"version": "1", "parallel_read_safe": True}

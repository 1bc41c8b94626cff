"""Refuses issues with a summary shorter than the minimum in the settings."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import manifest, validation
from wit_world.imports import host, types

from rule import check_summary

DEFAULT_MIN_SUMMARY = 10

SETTINGS_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"min_summary": {"type": "integer", "minimum": 1}},
}


class Manifest(exports.Manifest):
    def describe(self) -> manifest.Info:
        return manifest.Info(
            name="{{name}}",
            version="0.1.0",
            summary="Describe the plugin in one line",
            settings_schema=json.dumps(SETTINGS_SCHEMA),
            kinds=["issue"],
            needs=[],
            attributes=[],
        )


class Validation(exports.Validation):
    def validate(self, context: types.Context, request: validation.Request) -> None:
        if request.operation == "delete":
            return
        minimum = json.loads(host.settings() or "{}").get("min_summary", DEFAULT_MIN_SUMMARY)
        violation = check_summary(text(request.subject, "summary"), minimum)
        if violation:
            code, message = violation
            raise Err([types.Violation(field="summary", code=code, message=message)])


def text(entity: types.Entity, name: str) -> str:
    """Returns a field that is text, or the empty text."""
    for field in entity.fields:
        if field.name == name and isinstance(field.value, types.Value_Text):
            return field.value.value
    return ""

"""The body of a CloudWatch dashboard, as far as ours uses it: unknown fields are refused.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

Period = Annotated[int, msgspec.Meta(ge=60, multiple_of=60)]
Text = Annotated[str, msgspec.Meta(min_length=1)]


class Struct(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """An object with these fields and no others."""


class Axis(Struct):
    min: float | None = None
    max: float | None = None
    label: str | None = None
    show_units: bool = True


class Axes(Struct):
    left: Axis


class Line(Struct):
    label: Text
    value: float


class Lines(Struct):
    horizontal: list[Line]


class MetricProperties(Struct):
    title: Text
    region: Text
    metrics: Annotated[list[list[Any]], msgspec.Meta(min_length=1)]
    stat: Literal["Maximum", "Minimum", "Sum"]
    period: Period
    view: Literal["timeSeries"] = "timeSeries"
    stacked: bool = False
    y_axis: Axes | None = None
    annotations: Lines | None = None


class AlarmProperties(Struct):
    title: Text
    alarms: Annotated[list[Text], msgspec.Meta(min_length=1, max_length=100)]


class TextProperties(Struct):
    markdown: Text


class Options(Struct):
    """How one metric is displayed."""

    label: Text
    color: Annotated[str, msgspec.Meta(pattern="^#[0-9a-f]{6}$")] | None = None
    stat: Annotated[str, msgspec.Meta(pattern=r"^p\d\d?$")] | None = None


class Widget(Struct, tag_field="type"):
    x: Annotated[int, msgspec.Meta(ge=0, le=23)]
    y: Annotated[int, msgspec.Meta(ge=0)]
    width: Annotated[int, msgspec.Meta(ge=1, le=24)]
    height: Annotated[int, msgspec.Meta(ge=1, le=1000)]


class MetricWidget(Widget, tag="metric"):
    properties: MetricProperties


class AlarmWidget(Widget, tag="alarm"):
    properties: AlarmProperties


class TextWidget(Widget, tag="text"):
    properties: TextProperties


class Shown(NamedTuple):
    """A metric in a graph."""

    namespace: str
    name: str
    dimension: str
    value: str
    options: Options


class Dashboard(Struct):
    start: Annotated[str, msgspec.Meta(pattern=r"^-P(T?)\d+[DHM]$")]
    period_override: Literal["inherit", "auto"]
    widgets: Annotated[list[MetricWidget | AlarmWidget | TextWidget], msgspec.Meta(max_length=500)]

    def shown(self, title: str | None = None) -> Iterator[Shown]:
        """The metrics of all graphs, or of one."""
        for widget in self.widgets:
            if isinstance(widget, MetricWidget) and title in (None, widget.properties.title):
                yield from _shown(widget.properties.metrics)

    @property
    def alarms(self) -> set[str]:
        """The alarms whose state it shows."""
        found = (widget for widget in self.widgets if isinstance(widget, AlarmWidget))
        return {alarm for widget in found for alarm in widget.properties.alarms}


def _shown(rows: list[list[Any]]) -> Iterator[Shown]:
    """Expand a row's shorthand for the row above: `.` is one field, `...` all before the rest."""
    above: tuple[str, ...] = ()
    for *fields, last in rows:
        match fields:
            case ["...", *rest]:
                written = (*above[: 4 - len(rest)], *rest)
            case _:
                written = tuple(above[i] if each == "." else each for i, each in enumerate(fields))
        namespace, name, dimension, value = above = written
        yield Shown(namespace, name, dimension, value, msgspec.convert(last, Options))

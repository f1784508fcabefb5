"""Which instruction of a Dockerfile a builder's step is, by what the builder calls it. Pure."""

from __future__ import annotations

import re

from kubekit.image.files.dockerfile import Dockerfile, Instruction

_STEP = re.compile(r"\[(?:.*?(?P<stage>\S+) )?(?P<number>\d+)/\d+\] (?P<text>.*)", re.DOTALL)
_CLASSIC_STEP = re.compile(r"Step (?P<number>\d+)/\d+ : .*", re.DOTALL)
_LAYERS = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})


def locate(parsed: Dockerfile, step: str) -> Instruction | None:
    """Find the instruction of a step.

    BuildKit calls it ``[builder 2/5] RUN make``, the classic builder ``Step 4/9 : RUN make``.
    """
    if classic := _CLASSIC_STEP.fullmatch(step):
        return dict(enumerate(parsed.instructions, start=1)).get(int(classic["number"]))
    match = _STEP.fullmatch(step)
    if not match:
        return None
    stage = parsed.stage(match["stage"] and match["stage"].removeprefix("stage-"))
    if stage is None:
        return None
    # BuildKit counts `FROM` only where it names an image.
    is_stage = parsed.above(stage, parsed.scope({})) is not None
    layers = [] if is_stage or stage.base == "scratch" else [stage.origin]
    layers += [item for item in stage.body if item.keyword in _LAYERS]
    number = int(match["number"])
    found = layers[number - 1] if 0 < number <= len(layers) else None
    same = found is not None and match["text"].upper().startswith(found.keyword)
    return found if same else None

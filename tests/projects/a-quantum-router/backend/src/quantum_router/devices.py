"""The devices, from `data/devices.json`."""

import json
from dataclasses import dataclass
from pathlib import Path

# backend/data on a laptop, /app/data in the image.
FILE = Path(__file__).parents[2] / "data" / "devices.json"


@dataclass(frozen=True)
class Device:
    """How many qubits there are, and which pairs of them a gate can act on."""

    qubits: int
    couplings: tuple[tuple[int, int], ...]


def load(file: Path = FILE) -> dict[str, Device]:
    """Read them all."""
    return {
        name: Device(entry["qubits"], tuple((a, b) for a, b in entry["couplings"]))
        for name, entry in json.loads(file.read_text()).items()
    }

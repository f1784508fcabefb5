"""Which device a job goes to: fewest errors, weighed against the queue before it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Device:
    """What is known of a device."""

    name: str
    qubits: int
    error: float
    queued: int


DEVICES = (
    Device("heron", 156, 0.003, 42),
    Device("eagle", 127, 0.008, 7),
    Device("falcon", 27, 0.012, 0),
)


def choose(
    qubits: int, queue_weight: float, devices: tuple[Device, ...] = DEVICES
) -> Device | None:
    """The best of those that are large enough; None if none is."""
    fitting = [device for device in devices if device.qubits >= qubits]
    if not fitting:
        return None
    costs = np.array([(device.error, device.queued) for device in fitting], dtype=float)
    highest = costs.max(axis=0)
    shares = np.divide(costs, highest, out=np.zeros_like(costs), where=highest > 0)
    return fitting[int(np.argmin(shares @ np.array([1 - queue_weight, queue_weight])))]

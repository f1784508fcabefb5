"""Routing itself, by qiskit's transpiler."""

from collections.abc import Sequence
from dataclasses import dataclass

# At the start and in the main thread: imported in a thread that ends, qiskit 2.6 crashes later.
from qiskit import QuantumCircuit
from qiskit.transpiler import CouplingMap, generate_preset_pass_manager

from quantum_router.devices import Device


@dataclass(frozen=True)
class Routed:
    """What routing costs."""

    swaps: int
    depth: int
    layout: list[int]


class Unroutable(ValueError):  # noqa: N818 - it is an answer, not a failure
    """The circuit needs what the device has not."""


def route(gates: Sequence[tuple[int, int]], device: Device) -> Routed:
    """Place the circuit's qubits on the device's, and count the swaps that it takes."""
    # Imported here: it takes a second, for which the start need not wait.

    if any(a == b for a, b in gates):
        raise Unroutable("a gate needs two different qubits")
    width = 1 + max(max(pair) for pair in gates)
    if width > device.qubits:
        raise Unroutable(f"the circuit has {width} qubits, the device {device.qubits}")
    circuit = QuantumCircuit(width)
    for a, b in gates:
        circuit.cx(a, b)
    both_ways = [pair for a, b in device.couplings for pair in ((a, b), (b, a))]
    passes = generate_preset_pass_manager(
        optimization_level=1,
        coupling_map=CouplingMap(both_ways),
        basis_gates=["cx", "swap"],
        seed_transpiler=7,
    )
    fitted = passes.run(circuit)
    layout = fitted.layout.initial_index_layout(filter_ancillas=True)
    swaps = fitted.count_ops().get("swap", 0)
    return Routed(swaps=swaps, depth=fitted.depth(), layout=layout)

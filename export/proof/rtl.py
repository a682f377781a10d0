"""Proof that RTL computes what a netlist says, for all inputs, `latency` clock cycles later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.bits import pack, unpack
from difflut.export.circuit.names import net_name
from difflut.export.circuit.netlist import FIRST_NET, Netlist
from difflut.export.circuit.simulate import simulate
from difflut.export.proof import graph as g
from difflut.export.proof.circuit import Bit, Circuit, Expansion, Simulation
from difflut.export.proof.counters import Counted, CounterProver
from difflut.export.proof.graph import FALSE, TRUE, Graph, Words
from difflut.export.proof.report import OPEN, PROVED, REFUTED, Claim, Counterexample
from difflut.export.proof.selection import check_network, decide, top
from difflut.export.proof.solver import Answer, Solver
from difflut.export.proof.specification import (
    CODES,
    Codes,
    add_netlist,
    code_rows,
    codes_of_model,
    comparison_tables,
    input_rows,
    nets_in_head,
    sample_codes,
)
from difflut.export.proof.sweep import ENUMERATED_BITS, Sweeper, Swept, between
from difflut.export.schedule.head.selection import plan_selection

SIGNATURE_SAMPLES = 2048
SEARCH_SAMPLES = 8192
_MUTATIONS = 2048
_SUSPECTS = 8
_NEAR = 0.25
SMALL_GROUP = 16

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True)
class RtlOutcome:
    """The claims about the RTL, and an input that refutes one if there is any."""

    claims: list[Claim]
    counterexample: Counterexample | None


def prove_rtl(
    circuit: Circuit, netlist: Netlist, latency: int, progress: Progress = lambda what, done, total: None
) -> RtlOutcome:
    """Prove each part of the RTL, or find an input that refutes it.

    Args:
        circuit: the RTL as read back.
        netlist: what it must compute.
        latency: the number of clock edges from an input to its answer.
        progress: is told how far things are.

    Raises:
        ProofError: the RTL has a combinational loop or reads something undefined.
    """
    prover = _RtlProver(circuit, netlist, latency, progress)
    claims = prover.run()
    found = None
    if any(claim.verdict != PROVED for claim in claims):
        progress("searching a counterexample", 0, 1)
        found = prover.search()
        if found is not None:
            subjects = ("pipeline", "group sum", "argmax", "top-k") if found.valid else ("valid",)
            claims = [
                replace(claim, verdict=REFUTED) if claim.verdict == OPEN and claim.subject in subjects else claim
                for claim in claims
            ]
    return RtlOutcome(claims, found)


class _RtlProver:
    def __init__(self, circuit: Circuit, netlist: Netlist, latency: int, progress: Progress) -> None:
        self.circuit = circuit
        self.netlist = netlist
        self.latency = latency
        self.progress = progress
        self.graph = Graph()
        self.nets = add_netlist(self.graph, netlist, latency)
        self.expansion = Expansion(circuit, self.graph, latency + 1)
        outputs = circuit.outputs
        self.index = self._nodes("out_class")
        self.ranked = self._words("out_top", netlist.head.class_width_bits)
        self.scores = self._words("out_scores", netlist.head.score_width_bits) or self._inner_scores()
        self.valid = self._nodes("out_valid")[0] if "out_valid" in outputs else None
        self.swept: Swept | None = None

    def _nodes(self, port: str) -> list[int]:
        return self.expansion.nodes([(bit, 0) for bit in self.circuit.outputs.get(port, [])])

    def _words(self, port: str, width: int) -> list[list[int]]:
        nodes = self._nodes(port)
        return [nodes[low : low + width] for low in range(0, len(nodes), width)]

    def _inner_scores(self) -> list[list[int]]:
        """The scores of a design that does not put them out: the vector `scores`. What it holds is proved, not
        assumed.
        """
        self._nodes("out_class"), self._nodes("out_top")
        bits, width = self.circuit.names.get("scores", []), self.netlist.head.score_width_bits
        known = [[self.expansion.known(bit, time) for bit in bits] for time in range(self.latency + 1)]
        # A constant is known at any time, so it does not tell at which one the scores are there.
        varying = (time for time, nodes in enumerate(known) if any(node is not None and node > TRUE for node in nodes))
        constant = 0 if bits and all(node is not None for node in known[0]) else None
        time = next(varying, constant)
        found = [] if time is None else self.expansion.nodes([(bit, time) for bit in bits])
        return [found[low : low + width] for low in range(0, len(found), width)]

    @property
    def _outputs(self) -> list[int]:
        """All data outputs."""
        words = [*self._words("out_scores", 1), self.index, *self.ranked]
        return [node for word in words for node in word]

    def run(self) -> list[Claim]:
        """All claims, in the order of the data's way through the circuit."""
        claims = [self._timing()]
        samples = sample_codes(self.netlist, SIGNATURE_SAMPLES)
        inputs = input_rows(self.graph, self.netlist.input, samples)
        total = len(self.graph)
        sweeper = Sweeper(
            self.graph,
            self.netlist.input,
            {node for node in self.nets if node > TRUE},
            inputs,
            SIGNATURE_SAMPLES // 64,
            progress=lambda done: self.progress("encoder and nodes", done, total),
        )
        self.swept = sweeper.run()
        self.progress("encoder and nodes", total, total)
        head = self._head(self.swept)
        counted = all(claim.verdict == PROVED for claim in head)
        claims += self._nets(self.swept, counted)
        claims += head
        claims.append(self._valid())
        return claims

    def _timing(self) -> Claim:
        """Data outputs depend on the codes of one clock cycle and on nothing else."""
        statement = f"every data output depends on the input codes {self.latency} cycles earlier only"
        names = {node: key for key, node in self.graph.inputs.items()}
        roots = self._outputs
        if not roots:
            return Claim("pipeline", statement, OPEN, "the RTL has no data outputs")
        found = [names[node] for node in self.graph.cone(roots) if node in names]
        wrong = sorted({(str(key[0]), int(key[2])) for key in found if key[0] != CODES or key[2] != self.latency})
        if not wrong:
            return Claim("pipeline", statement, PROVED, "by following every path back through its registers")
        listed = ", ".join(
            f"{'an older state' if port == 'state' else port} {time} cycles earlier" for port, time in wrong[:4]
        )
        return Claim("pipeline", statement, OPEN, f"they also depend on {listed}")

    def _nets(self, swept: Swept, counted: bool) -> list[Claim]:
        """How much of the netlist was found in the RTL.

        Not every net must be there: a small head may have been proved (`counted`) although a net that it counts has no
        signal of its own. Where the head is open, the first missing net tells where to look.
        """
        netlist = self.netlist
        reached = self._reached(swept)
        claims = []
        if netlist.comparators:
            present = sum(
                swept.node_of[node] in reached for node in self.nets[FIRST_NET : FIRST_NET + netlist.comparators]
            )
            claims.append(
                Claim(
                    "encoder",
                    f"{present} of {netlist.comparators} comparators found in the RTL",
                    PROVED if self._comparators(swept) else OPEN,
                    f"each for all {1 << netlist.input.width_bits} codes"
                    if netlist.input.width_bits <= ENUMERATED_BITS
                    else "by structure and SAT",
                )
            )
        luts = range(FIRST_NET + netlist.comparators, netlist.nets)
        present = sum(swept.node_of[self.nets[net]] in reached for net in luts)
        head = {net for group in nets_in_head(netlist) for net in group if net >= FIRST_NET}
        missing = [
            net for net in sorted(head) if swept.node_of[self.nets[net]] not in reached and self.nets[net] > TRUE
        ]
        kinds = ", ".join(f"{count} by {kind}" for kind, count in sorted(swept.proofs.items()))
        where = (
            f"{len(missing)} nets that scores count are missing, the first is {net_name(self.netlist, missing[0])}"
            if missing
            else kinds
        )
        claims.append(
            Claim(
                "nodes",
                f"{present} of {len(luts)} nodes found in the RTL",
                PROVED if counted or not missing else OPEN,
                kinds if counted else where,
            )
        )
        return claims

    def _comparators(self, swept: Swept) -> bool:
        """The graph's comparators against the definition `code >= threshold`, by numbers."""
        if self.netlist.input.width_bits > ENUMERATED_BITS:
            return True
        tables = comparison_tables(self.netlist)
        for row, node in zip(tables, self.nets[FIRST_NET:], strict=False):
            exact = swept.exact.get(swept.node_of[node])
            if exact is None or not np.array_equal(exact, row):
                return False
        return True

    def _reached(self, swept: Swept) -> set[int]:
        """Merged nodes on which the RTL's data outputs depend."""
        roots = [*self._outputs, *(node for word in self.scores for node in word)]
        return set(swept.graph.cone([swept.node_of[node] for node in roots]))

    def _head(self, swept: Swept) -> list[Claim]:
        groups = nets_in_head(self.netlist)
        if len(groups) == 1 and "out_scores" not in self.circuit.outputs:
            return [only_class(self.index, self.ranked)]
        if len(self.scores) != len(groups):
            return [Claim("group sum", "the scores are counted right", OPEN, "the RTL has no vector of scores")]
        claims = [self._group_sum(swept, groups)]
        # As it was read: after the sweep a node here may be one that equals it by what codes can be.
        same = swept.node_of.__getitem__
        return claims + prove_outputs(self.graph, self.scores, same, self.index, self.ranked, self.netlist)

    def _group_sum(self, swept: Swept, groups: list[list[int]]) -> Claim:
        nets = [[self.nets[net] for net in group] for group in groups]
        merged = dict(enumerate(swept.node_of))
        outcomes = self._counts(swept.graph, merged, nets, [Counted()] * len(nets))
        if not all(outcome.proved for outcome in outcomes):
            outcomes = self._counts(*self._above_nets(swept, nets), nets, outcomes)
        bad = []
        for score, (group, outcome) in enumerate(zip(nets, outcomes, strict=True)):
            small = len(group) <= SMALL_GROUP
            if not outcome.proved and not (small and self._counts_by_sat(swept.graph, merged, group, score)):
                bad.append(f"score {score}: {outcome.reason}")
        statement = f"{len(groups)} scores are the numbers of ones among the nets of their groups"
        if bad:
            more = f"; {len(bad) - 1} more like it" if len(bad) > 1 else ""
            return Claim("group sum", statement, OPEN, bad[0] + more)
        cuts, pieces, repeated = (sum(getattr(o, field) for o in outcomes) for field in ("cuts", "pieces", "repeated"))
        return Claim(
            "group sum", statement, PROVED, f"{pieces} pieces between {cuts} cuts, {repeated} of a form seen before"
        )

    def _counts(
        self, graph: Graph, node_of: dict[int, int], nets: list[list[int]], before: list[Counted]
    ) -> list[Counted]:
        """Try the scores that are not proved yet in a graph; `node_of` gives its node for nodes of the RTL's graph."""
        prover = CounterProver(graph, self._vectors(graph, node_of))
        outcomes = []
        for score, (group, outcome) in enumerate(zip(nets, before, strict=True)):
            if not outcome.proved and all(node in node_of for node in self.scores[score]):
                tried = prover.prove(*_occurrences(node_of, group), [node_of[node] for node in self.scores[score]])
                outcome = tried if tried.proved or not outcome.reason else outcome
            outcomes.append(outcome)
            self.progress("group sum", score + 1, len(nets))
        return outcomes

    def _above_nets(self, swept: Swept, nets: list[list[int]]) -> tuple[Graph, dict[int, int]]:
        """The RTL between the nets that scores count and the scores, as it was read.

        After the sweep a node of a counter may be another one that equals it by what codes can be, and then the pieces
        of the counter cannot be told apart. Here only the counted nets are merged.

        Returns:
            A graph whose inputs are the counted nets, and its node of each node of the RTL's graph that is part of it.
        """
        graph = Graph()
        roots = [node for word in self.scores for node in word]
        own = {node: swept.node_of[node] for group in nets for node in group}
        leaf = {node: graph.input(("net", node, 0)) for node in sorted(set(own.values())) if node > TRUE}
        copied = {FALSE: FALSE, TRUE: TRUE} | {node: leaf.get(merged, merged) for node, merged in own.items()}
        missing = set(leaf)
        for node in self.graph.cone(roots):
            merged, feeds = swept.node_of[node], self.graph.fanins[node]
            if node not in copied:
                above = bool(feeds) and all(feed in copied for feed in feeds)
                # Of equal nodes the first is the net itself; one that is made of counted nets is inside a counter.
                if merged in leaf and (merged in missing or not above):
                    copied[node] = leaf[merged]
                elif above:
                    copied[node] = graph.add([copied[feed] for feed in feeds], self.graph.tables[node])
            missing.discard(merged)
        return graph, copied

    def _counts_by_sat(self, graph: Graph, node_of: dict[int, int], nets: list[int], score: int) -> bool:
        """Whether a score is the count of a few nets, by SAT down to the codes: nodes of a small head may equal others
        by accident, and then pieces cannot be told apart."""
        counted, ones = _occurrences(node_of, nets)
        word = [node_of[node] for node in self.scores[score]]
        if sum(counted.values()) + ones >= 1 << len(word):
            return False
        total: list[int] = [TRUE if ones >> bit & 1 else FALSE for bit in range(len(word))]
        for node, times in counted.items():
            for _ in range(times):
                carry = node
                for bit, value in enumerate(total):
                    total[bit], carry = graph.add((value, carry), g.XOR), graph.add((value, carry), g.AND)
        solver = Solver(graph)
        equal = all(solver.compare(a, b) is Answer.EQUAL for a, b in zip(total, word, strict=True))
        solver.close()
        return equal

    def _vectors(self, graph: Graph, node_of: dict[int, int]) -> set[frozenset[int]]:
        """The nodes in `graph` of each named vector of the RTL, for each moment at which it matters."""
        cone = set(graph.cone([node_of[node] for word in self.scores for node in word if node in node_of]))
        result: set[frozenset[int]] = set()
        for bits in self.circuit.names.values():
            if len(bits) < 2:
                continue
            for time in range(self.latency + 1):
                known = (self.expansion.known(bit, time) for bit in bits)
                nodes = frozenset(node_of[node] for node in known if node is not None and node in node_of)
                nodes = (nodes & cone) - {FALSE, TRUE}
                if len(nodes) > 1:
                    result.add(nodes)
        return result

    def _valid(self) -> Claim:
        statement = f"out_valid is in_valid {self.latency} cycles earlier, unless rst was high since then"
        if self.valid is None:
            return Claim("valid", statement, OPEN, "the RTL has no port out_valid")
        graph = self.graph
        times = range(1, self.latency + 1) if self.latency else [0]  # a combinational design can only mask
        kept = [graph.not_(graph.input(("rst", 0, time))) for time in times]
        expected = graph.all_of([graph.input(("in_valid", 0, self.latency)), *kept])
        solver = Solver(graph)
        answer = solver.compare(expected, self.valid)
        solver.close()
        if answer is Answer.EQUAL:
            return Claim("valid", statement, PROVED, "by SAT")
        return Claim("valid", statement, OPEN if answer is Answer.UNKNOWN else REFUTED, self._valid_example(solver))

    def _valid_example(self, solver: Solver) -> str:
        names = {node: key for key, node in self.graph.inputs.items()}
        ones = sorted((str(names[node][0]), int(names[node][2])) for node, value in solver.model.items() if value)
        listed = ", ".join(f"{port} {time} cycles earlier" for port, time in ones if port != "state")
        return f"wrong after {listed or 'no signal at all'}" if solver.model else "not decided"

    # --- Counterexamples -------------------------------------------------------------------------------------------

    def search(self) -> Counterexample | None:
        """An input on which the RTL, run clock by clock, gives another answer than the netlist."""
        found = self._try(sample_codes(self.netlist, SEARCH_SAMPLES, seed=1))
        if found is None and self.swept is not None:
            found = self._lift(self.swept)
        return found

    def _try(self, codes: Codes) -> Counterexample | None:
        """Run both on codes and return the first difference."""
        outputs = simulate(self.netlist, codes)
        result = run_circuit(self.circuit, self.netlist, self.latency, codes)
        differs = ~result.valid
        if result.scores is not None:
            differs |= (result.scores != outputs.scores).any(axis=1)
        if result.classes is not None:
            differs |= result.classes != outputs.classes
        if result.top is not None:
            expected_top = np.argsort(-outputs.scores, axis=1, kind="stable")[:, : result.top.shape[1]]
            differs |= (result.top != expected_top).any(axis=1)
        if not differs.any():
            return None
        row = int(differs.argmax())
        return Counterexample(
            claim="RTL",
            codes=codes[row].tolist(),
            expected_scores=outputs.scores[row].tolist(),
            expected_class=int(outputs.classes[row]),
            scores=None if result.scores is None else result.scores[row].tolist(),
            classes=None if result.classes is None else int(result.classes[row]),
            valid=bool(result.valid[row]),
            top=None if result.top is None else result.top[row].tolist(),
        )

    def _lift(self, swept: Swept) -> Counterexample | None:
        """From a net that is missing to codes: the RTL node that behaves most like it, an input where they differ (by
        SAT), and variations of that input elsewhere until the difference reaches an output."""
        reached = self._reached(swept)
        missing = [net for net in range(FIRST_NET, self.netlist.nets) if swept.node_of[self.nets[net]] not in reached]
        samples = sample_codes(self.netlist, SIGNATURE_SAMPLES)
        values = self.graph.evaluate(input_rows(self.graph, self.netlist.input, samples), SIGNATURE_SAMPLES // 64)
        own = set(self.nets)
        roots = self._outputs
        others = np.array([node for node in self.graph.cone(roots) if node not in own and self.graph.fanins[node]])
        if not len(others):
            return None
        solver = Solver(self.graph)
        random = np.random.default_rng(0)
        for net in missing[:_SUSPECTS]:
            node = self.nets[net]
            distance = np.bitwise_count(values[others] ^ values[node]).sum(axis=1) / SIGNATURE_SAMPLES
            for position in np.argsort(distance, kind="stable")[:_SUSPECTS]:
                if distance[position] > _NEAR:
                    break
                if solver.compare(node, int(others[position])) is not Answer.DIFFERENT:
                    continue
                model = dict(solver.model)
                base = np.stack(
                    [codes_of_model(self.netlist.input, self.graph, model, row) for row in samples[:_MUTATIONS]]
                )
                found = self._try(base[random.permutation(len(base))])
                if found is not None:
                    solver.close()
                    return found
        solver.close()
        return None


def only_class(index: list[int], ranked: list[list[int]]) -> Claim:
    """There is nothing to choose from."""
    constant = all(node == FALSE for word in ([index] if index else ranked) for node in word)
    return Claim("argmax", "the class is 0, the only one", PROVED if constant else OPEN, "by structure")


def prove_outputs(
    graph: Graph,
    scores: list[list[int]],
    same: Callable[[int], int],
    index: list[int],
    ranked: list[list[int]],
    netlist: Netlist,
) -> list[Claim]:
    """The class and the ranking as functions of the scores, which were proved on their own and may be anything here.

    Args:
        graph: what the RTL was turned into.
        scores: the words of the scores in it.
        same: of a node of a score one that stands for all equal ones.
        index, ranked: the words of the class and of each rank; empty without such an output.
        netlist: what the circuit computes.
    """
    claims, head = [], netlist.head
    prove = partial(_selection, graph, scores, same, netlist)
    if index:
        chosen = int((head.decisions > 1).sum())
        statement = (
            f"each of {chosen} decisions is the index of its largest score, the lowest of equals"
            if chosen > 1
            else "the class is the index of the largest score, the lowest of equals"
        )
        claims.append(prove("argmax", statement, lambda graph, scores: [decide(graph, head, scores)], [index]))
    if ranked:
        statement = f"the {len(ranked)} best classes in descending order, of equals the lowest first"
        plan, width = plan_selection((head.classes,), len(ranked)), head.class_width_bits
        if check_network(plan):
            claims.append(prove("top-k", statement, lambda graph, scores: top(graph, plan, scores, width), ranked))
        else:
            claims.append(Claim("top-k", statement, OPEN, "the order was not checked for so many classes"))
    return claims


def _selection(
    read: Graph,
    scores: list[list[int]],
    same: Callable[[int], int],
    netlist: Netlist,
    subject: str,
    statement: str,
    reference: Callable[[Graph, list[list[int]]], list[list[int]]],
    outputs: list[list[int]],
) -> Claim:
    """Outputs as `reference` makes them of the scores."""
    graph = Graph()
    copied: dict[int, int] = {FALSE: FALSE, TRUE: TRUE}
    for word in scores:
        for node in word:
            if node not in copied:
                found = same(node)
                copied[node] = found if found <= TRUE else graph.input(("score", found, 0))
    expected = reference(graph, [[copied[node] for node in word] for word in scores])
    leaders = set(range(2, len(graph)))
    roots = [node for word in outputs for node in word]
    for node in between(read, roots, list(copied)):
        feeds = read.fanins[node]
        if any(feed not in copied for feed in feeds):
            return Claim(subject, statement, OPEN, "it depends on something else than the scores")
        copied[node] = graph.add([copied[feed] for feed in feeds], read.tables[node])
    if any(root not in copied for root in roots):
        return Claim(subject, statement, OPEN, "it depends on something else than the scores")
    words = SIGNATURE_SAMPLES // 64
    # No node of this graph depends on codes, so the format is of no importance.
    sweeper = Sweeper(graph, netlist.input, leaders, _score_samples(scores, copied), words)
    merged = sweeper.run()
    pairs = [
        (merged.node_of[a], merged.node_of[copied[b]])
        for right, given in zip(expected, outputs, strict=True)
        for a, b in zip_longest(right, given, fillvalue=FALSE)
    ]
    if any(sweeper.solver.compare(a, b) is not Answer.EQUAL for a, b in pairs if a != b):
        return Claim(subject, statement, OPEN, "for some scores it gives another class")
    kinds = ", ".join(f"{count} by {kind}" for kind, count in sorted(merged.proofs.items()))
    return Claim(subject, statement, PROVED, f"comparison by comparison: {kinds or 'the same structure'}")


def _occurrences(node_of: dict[int, int], nets: list[int]) -> tuple[dict[int, int], int]:
    """How often each node of a graph counts, and how many constant ones count."""
    counted: dict[int, int] = {}
    for net in nets:
        counted[node_of[net]] = counted.get(node_of[net], 0) + 1
    ones = counted.pop(TRUE, 0)
    counted.pop(FALSE, None)
    return counted, ones


def _score_samples(words: list[list[int]], copied: dict[int, int]) -> dict[int, Words]:
    """Scores of which many are equal or next to each other, as values of the graph's inputs."""
    random = np.random.default_rng(0)
    width = max(len(word) for word in words)
    samples = SIGNATURE_SAMPLES
    centre = random.integers(0, 1 << width, (1, samples))
    spread = random.choice([1, 2, 4, 1 << width], (1, samples))
    scores = (centre + random.integers(0, 1 << width, (len(words), samples)) % spread) % (1 << width)
    values: dict[int, Words] = {}
    for word, score in zip(words, scores, strict=True):
        rows = pack((score >> np.arange(len(word))[:, None] & 1).astype(np.bool_))
        for node, row in zip(word, rows, strict=True):
            if copied[node] > TRUE:
                values[copied[node]] = row
    return values


@dataclass(frozen=True, eq=False)
class RtlOutputs:
    """What the RTL gave, one row a sample; None for outputs that it does not have."""

    scores: npt.NDArray[np.int64] | None
    classes: npt.NDArray[np.int64] | None
    top: npt.NDArray[np.int64] | None
    valid: npt.NDArray[np.bool_]


def run_circuit(circuit: Circuit, netlist: Netlist, latency: int, codes: Codes, seed: int = 0) -> RtlOutputs:
    """Clock a circuit: each sample alone in the pipeline, with random codes before and after it.

    The pipeline is reset first; the answer is read `latency` edges after the sample.
    """
    samples, form = len(codes), netlist.input
    words = -(-samples // 64)
    random = np.random.default_rng(seed)
    simulation = Simulation(circuit, words, seed)

    def step(rows: Words, valid: bool, reset: bool) -> dict[str, Words]:
        flag = np.full((1, words), g.ALL_ONES if valid else 0, np.uint64)
        rst = np.full((1, words), g.ALL_ONES if reset else 0, np.uint64)
        return simulation.step({CODES: rows, "in_valid": flag, "rst": rst})

    bits = form.features * form.width_bits

    def garbage() -> Words:
        return random.integers(0, 1 << 64, (bits, words), np.uint64)

    for _ in range(latency + 1):
        step(garbage(), False, True)
    outputs = step(code_rows(form, codes), True, False)
    for _ in range(latency):
        outputs = step(garbage(), False, False)

    def numbers(port: str, width: int) -> npt.NDArray[np.int64] | None:
        if port not in outputs:
            return None
        values = unpack(outputs[port], samples).reshape(-1, width, samples)
        result: npt.NDArray[np.int64] = (values * (np.int64(1) << np.arange(width))[:, None]).sum(axis=1).T
        return result

    index = numbers("out_class", len(circuit.outputs.get("out_class", [])) or 1)
    return RtlOutputs(
        numbers("out_scores", netlist.head.score_width_bits),
        None if index is None else index[:, 0],
        numbers("out_top", netlist.head.class_width_bits),
        unpack(outputs["out_valid"], samples)[0] if "out_valid" in outputs else np.ones(samples, np.bool_),
    )


__all__ = ["Bit", "Progress", "RtlOutcome", "RtlOutputs", "prove_rtl", "run_circuit"]

"""A search on disk: Optuna's journal of its candidates, which several processes share and killed ones leave whole.

A candidate belongs to the process that holds the lock on its file; where a kill freed the lock, the candidate is asked
for again, under a new number and in its old place, where its training goes on.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difflut.errors import ConfigError, DataError
from difflut.files import WriteError
from difflut.locks import try_lock

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

JOURNAL, CANDIDATES = "journal.log", "candidates"
_STUDY = "difflut search"
_IDENTITY, _PLACE, _INSTEAD_OF, _SURPLUS, ERROR = "search", "place", "instead_of", "surplus", "error"
_STARTUP = 10  # candidates drawn at random before the sampler learns from them
_REDUCTION = 3


def require_optuna() -> None:
    """Refuse to go on without the library that samples and prunes.

    Raises:
        ConfigError: it is missing.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(f"searching needs Optuna ({error}): pip install 'difflut[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)


class Journal:
    """The candidates of one search.

    Args:
        directory: of the search; made if it is not there.
        identity: what the search is of, JSON; a journal of another one is refused.
        first: points to start with.
        epochs: of a candidate that is trained to the end.
        seed: of the sampler.

    Raises:
        ConfigError: the directory holds something else, or another search.
        DataError: the journal cannot be read.
        WriteError: the directory cannot be written to.
    """

    def __init__(
        self, directory: Path, identity: dict[str, Any], first: list[dict[str, Any]], *, epochs: int, seed: int
    ) -> None:
        self.directory = directory
        _make(directory)
        self._study = self._open(epochs, seed)
        known = self._study.user_attrs.get(_IDENTITY)
        if known is None:
            for point in first:
                self._study.enqueue_trial(point, skip_if_exists=True)
            self._study.set_user_attr(_IDENTITY, identity)
        elif known != identity:
            other = [key for key in identity if not isinstance(known, dict) or known.get(key) != identity[key]]
            raise ConfigError(
                f"--out {directory}: holds another search, which differs in {', '.join(other)}; give what it was "
                "started with, or another directory"
            )

    def _open(self, epochs: int, seed: int) -> Study:
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        path = str(self.directory / JOURNAL)
        try:
            storage = optuna.storages.JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
            study = optuna.create_study(
                storage=storage,
                study_name=_STUDY,
                direction="maximize",
                load_if_exists=True,
                pruner=optuna.pruners.SuccessiveHalvingPruner(
                    min_resource=max(1, epochs // _REDUCTION**2), reduction_factor=_REDUCTION
                ),
            )
            # A search that goes on must not draw again what it began with.
            drawn = seed + len(study.get_trials(deepcopy=False))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: is damaged ({error!s:.200}); choose another directory") from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.sampler = optuna.samplers.TPESampler(
                n_startup_trials=_STARTUP, multivariate=True, constant_liar=True, seed=drawn & 0xFFFF_FFFF
            )
        return study

    def candidates(self) -> list[FrozenTrial]:
        """All that were asked for, but those that go on under another number."""
        found = self._study.get_trials(deepcopy=False)
        replaced = {trial.user_attrs.get(_INSTEAD_OF) for trial in found}
        return [trial for trial in found if trial.number not in replaced and not trial.user_attrs.get(_SURPLUS)]

    def checkpoint(self, trial: Trial | FrozenTrial) -> Path:
        """Where a candidate's checkpoint is, or will be."""
        return self.directory / CANDIDATES / f"candidate_{self.place(trial)}.safetensors"

    def place(self, trial: Trial | FrozenTrial) -> int:
        """The number under which a candidate was asked for first."""
        return int(trial.user_attrs.get(_PLACE, trial.number))

    @contextmanager
    def claimed(self, most: int | None) -> Iterator[Trial | None]:
        """The next candidate, held; None if there are `most` already. An exception leaves it to others."""
        from optuna.trial import TrialState

        self._take_back()
        trial = self._study.ask()
        with self._held(trial.number):
            waiting = (TrialState.WAITING,)
            before = [t for t in self.candidates() if t.number < trial.number and t.state not in waiting]
            if most is not None and len(before) >= most:
                trial.set_user_attr(_SURPLUS, True)
                self._study.tell(trial, state=TrialState.FAIL)
                yield None
                return
            try:
                yield trial
            except BaseException:
                self._ask_again(trial)
                raise

    def tell(self, trial: Trial, value: float | None = None) -> None:
        """The candidate is done: with a value, or pruned."""
        from optuna.trial import TrialState

        self._study.tell(trial, value, state=TrialState.PRUNED if value is None else None)

    def fail(self, trial: Trial, error: str) -> None:
        """The candidate is impossible."""
        from optuna.trial import TrialState

        trial.set_user_attr(ERROR, error)
        self._study.tell(trial, state=TrialState.FAIL)

    def _ask_again(self, trial: Trial | FrozenTrial) -> None:
        from optuna.trial import TrialState

        # In this order: a kill in between leaves a candidate that is replaced, and none that is lost.
        attributes = {_PLACE: self.place(trial), _INSTEAD_OF: trial.number}
        self._study.enqueue_trial(trial.params, user_attrs=attributes)
        self._study.tell(trial.number, state=TrialState.FAIL)

    def _take_back(self) -> None:
        """Ask again for the candidates of processes that are gone."""
        from optuna.trial import TrialState

        for trial in self.candidates():
            if trial.state != TrialState.RUNNING:
                continue
            path = self._lock(trial.number)
            with suppress(FileNotFoundError):
                handle = os.open(path, os.O_RDWR)
                try:
                    if try_lock(handle):
                        self._ask_again(trial)
                        os.unlink(path)
                finally:
                    os.close(handle)

    def _lock(self, number: int) -> Path:
        return self.directory / CANDIDATES / f".difflut-{number}.held"

    @contextmanager
    def _held(self, number: int) -> Iterator[None]:
        path, made = self._lock(number), self._lock(number).with_suffix(f".{os.getpid()}")
        handle = os.open(made, os.O_RDWR | os.O_CREAT, 0o600)
        try_lock(handle)
        os.rename(made, path)  # under its name it is locked from the first moment on
        try:
            yield
        finally:
            with suppress(FileNotFoundError):
                os.unlink(path)
            os.close(handle)


def _make(directory: Path) -> None:
    """The directory, if it is a search's, empty or not there.

    Raises:
        ConfigError: it holds something else.
        WriteError: it cannot be made.
    """
    try:
        if (
            directory.exists()
            and not (directory / JOURNAL).is_file()
            and (not directory.is_dir() or any(directory.iterdir()))
        ):
            raise ConfigError(f"--out {directory}: holds something else than a search; give an empty or new directory")
        directory.mkdir(parents=True, exist_ok=True)
        (directory / JOURNAL).touch()  # first: it says to others that start now whose directory it is
        (directory / CANDIDATES).mkdir(exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"cannot write {directory}: {error.strerror or error}; choose a place that is writable"
        ) from error

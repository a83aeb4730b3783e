"""Workers without a cluster: they work in this process, and go when a test says so."""

from collections import deque

from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.cluster.distant_engine import DistantEngine
from rgan_sdk.run.cluster.opening import assemble
from rgan_sdk.run.cluster.team import Choice, Done, Lost, Refused
from rgan_sdk.run.cluster.worker import Worker


class TeamOfThisProcess:
    """A ``Team`` whose workers take turns.

    Parameters
    ----------
    ends
        Is called with each task's number from 1 and its jobs. Returns what the run hears in place
        of the end of that task: ``Lost`` or ``Refused``; None lets it end. The work goes on
        either way, as that of a machine that can only not be reached.
    change
        Is called with what a worker says when it is ready, and returns what the run hears.
    """

    def __init__(self, model, engine="identity", ends=lambda number, jobs: None, change=None):
        self.model, self.choice = model, Choice(engine, "auto", "auto")
        self.ends, self.change = ends, change or (lambda event: event)
        self.workers, self.tasks, self.dismissed = {}, [], []
        self.said, self.working = deque(), deque()

    def recruit(self):
        name = f"worker {len(self.workers) + 1}"
        self.workers[name] = Worker(name, 1)
        self.said.append(self.change(self.workers[name].open(self.model, self.choice)))

    def give(self, worker, task):
        assert worker not in self.dismissed
        self.tasks.append(task)
        end = self.ends(len(self.tasks), task.jobs)
        self.working.append((worker, end, self.workers[worker].work(task)))

    def dismiss(self, worker):
        self.dismissed.append(worker)

    def listen(self, seconds):
        if self.said:
            return [self.said.popleft()]
        worker, end, events = self.working.popleft()
        event = next(events)
        if end is not None and isinstance(event, Done):
            return [end(worker, "as the test wants")]
        if not isinstance(event, (Done, Refused)):
            self.working.append((worker, end, events))
        return [] if worker in self.dismissed else [event]

    def harmonizers(self, count, batch_size=None):
        """Return what stands for so many workers in this process."""
        staff = assemble(self, count)
        return [
            Harmonizer(DistantEngine(self.model, one, staff), batch_size) for one in staff.opened
        ]


def lose(*numbers):
    """Lose the workers of these tasks, counted from 1."""
    return lambda number, jobs: Lost if number in numbers else None

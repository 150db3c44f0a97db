"""`art run exec --as-wandb`: scripts that say `import wandb` write runs here, unchanged."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import artstore as art
from artstore.publicapi.publicrun import PublicRun

SOURCE = Path(__file__).resolve().parents[2] / "src"
ART = (sys.executable, "-m", "artstore.cli.main")

LOOP = """
import numpy as np
import wandb

wandb.require("core")
wandb.login()
run = wandb.init(project="mnist", config={"lr": 0.1}, name="first", tags=["a"], entity="team",
                 settings=wandb.Settings(start_method="thread"))
assert wandb.run is run
wandb.config.update({"epochs": 2})
wandb.define_metric("val/acc", summary="max")
table = wandb.Table(columns=["id", "image", "guess"])
for epoch in range(wandb.config.epochs):
    image = wandb.Image(np.full((1, 8, 8), epoch / 2, np.float32), caption=str(epoch))
    table.add_data(epoch, image, np.int64(epoch))
    wandb.log({"loss": 1 / (epoch + 1), "val/acc": 1 - epoch / 2, "example": image})
wandb.log({"predictions": table})
wandb.log({"hist": wandb.Histogram([1, 2, 3])})
wandb.log({"cm": wandb.plot.confusion_matrix(y_true=[0, 1], preds=[0, 0], class_names=["a", "b"])})
wandb.log({"roc": wandb.plot.roc_curve([0, 1], [[0.9, 0.1], [0.2, 0.8]])})
wandb.log({"pr": wandb.plot.pr_curve([0, 1], [[0.9, 0.1], [0.2, 0.8]])})
plain = wandb.Table(data=[[1, 2], [3, 4]], columns=["x", "y"])
for plot in (wandb.plot.line, wandb.plot.scatter):
    wandb.log({plot.__name__: plot(plain, "x", "y", title="t")})
wandb.log({"bar": wandb.plot.bar(plain, "x", "y"), "hist2": wandb.plot.histogram(plain, "x")})
wandb.log({"lines": wandb.plot.line_series([0, 1], [[1, 2], [3, 4]], keys=["a", "b"])})
artifact = wandb.Artifact("model", type="model", metadata={"labels": {0: "a"}})
with artifact.new_file("weights.txt") as file:
    file.write("w")
run.log_artifact(artifact, aliases=["best"])
wandb.run.summary["acc"] = 0.9
wandb.alert(title="done", text="all of it", level=wandb.AlertLevel.WARN)
wandb.termwarn("careful")
try:
    wandb.Api().artifact("team/mnist/nothing:latest")
except wandb.errors.CommError:
    pass
try:
    wandb.sweep({})
except AttributeError as error:
    assert "sweeps" in str(error)
else:
    raise AssertionError
wandb.finish()
"""

FLOW = """
import numpy as np
import wandb

classes = wandb.Classes([{"id": 0, "name": "sky"}, {"id": 1, "name": "road"}])
mask = np.zeros((8, 8), np.uint8)
box = {"position": {"minX": 0.1, "maxX": 0.5, "minY": 0.1, "maxY": 0.5}, "class_id": 1,
       "box_caption": "car", "scores": {"p": 0.5}}
with wandb.init(project="dsviz", job_type="upload") as run:
    raw = wandb.Artifact("bdd_raw_data_50", "raw_data")
    table = wandb.Table(columns=["id", "raw", "annotated"])
    for i in range(4):
        pixels = np.full((8, 8, 3), i * 40, np.uint8)
        table.add_data(i, wandb.Image(pixels), wandb.Image(
            pixels, classes=classes, masks={"ground_truth": {"mask_data": mask}},
            boxes={"ground_truth": {"box_data": [box], "class_labels": {1: "road"}}}))
    raw.add(table, "raw_examples")
    run.log_artifact(raw)
with wandb.init(project="dsviz", job_type="data_split") as run:
    data = run.use_artifact("bdd_raw_data_50:latest")
    t = data.get("raw_examples")
    assert t.data[0][1].image.size == (8, 8)
    for name, rows in (("train", t.data[:2]), ("test", t.data[2:])):
        split = wandb.Artifact(f"bdd_{name}", "data_split")
        split.add(wandb.Table(columns=t.columns, data=rows), f"{name}_table")
        run.log_artifact(split)
with wandb.init(project="dsviz", job_type="train") as run:
    train = run.use_artifact("bdd_train:latest")
    train.download("train_data")
    for epoch in range(2):
        preds = wandb.Artifact("val_pred_" + run.id, "val_epoch_preds")
        preds.add(wandb.Table(columns=["id", "road"], data=[[0, epoch / 2], [1, 0.5]]), "val")
        run.log_artifact(preds)
        run.log({"loss": 1 / (epoch + 1)})
    open("resnet18.pth", "w").write("weights")
    saved = wandb.Artifact("resnet", "model")
    saved.add_file("resnet18.pth", "resnet18")
    run.log_artifact(saved)
with wandb.init(project="dsviz", job_type="test") as run:
    model = run.use_artifact("resnet:latest")
    assert open(model.get_path("resnet18").download()).read() == "weights"
    test = run.use_artifact("bdd_test:latest").get("test_table")
    again = wandb.Image(test.data[0][1], masks={"pred": {"mask_data": mask}}, classes=classes)
    results = wandb.Artifact("test_results", "preds")
    results.add(wandb.Table(["id", "guess"], data=[[test.data[0][0], again]]), "test_table")
    run.log_artifact(results)
with wandb.init(project="dsviz", job_type="analysis") as run:
    left = run.use_artifact("bdd_test:latest").get("test_table")
    right = run.use_artifact("test_results:latest").get("test_table")
    joined = wandb.Artifact("analysis", "joined")
    joined.add(wandb.JoinedTable(right, left, "id"), "train_results")
    run.log_artifact(joined)
    assert run.use_artifact("analysis:latest").get("train_results").row_count == 1
"""


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSTORE_URL", str(tmp_path / "store"))
    monkeypatch.setenv("ARTSTORE_PROJECT", "demo")
    monkeypatch.chdir(tmp_path)


def as_wandb(script: str, **variables: str) -> tuple[PublicRun, str]:
    Path("script.py").write_text(script)
    done = subprocess.run(
        [*ART, "run", "exec", "--as-wandb", "--", sys.executable, "script.py"],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (run,) = art.Api().runs("demo")
    return run, done.stderr


def test_a_training_loop_that_imports_wandb_writes_the_run_of_the_command() -> None:
    run, said = as_wandb(LOOP, WANDB_NOTES="from the environment")
    assert said.count("`import wandb` is artstore here") == 1
    assert "careful" in said
    assert (run.name, run.tags, run.notes) == ("first", ["a"], "from the environment")
    assert (run.config, run.state) == ({"lr": 0.1, "epochs": 2}, "finished")
    assert run.summary["val/acc"] == {"max": 1.0}
    assert run.summary["acc"] == 0.9
    assert [row["loss"] for row in run.scan_history(["loss"])] == [1.0, 0.5]
    assert run.whole["alerts"][0]["level"] == "WARN"
    names = {one.collection.name for one in run.logged_artifacts()}
    assert {"model", f"run-{run.id}-predictions", f"run-{run.id}-cm"} <= names
    matrix = art.Api().artifact(f"run-{run.id}-cm:latest").get("cm")
    assert [list(row) for row in matrix.data] == [
        ["a", "a", 1],
        ["a", "b", 0],
        ["b", "a", 1],
        ["b", "b", 0],
    ]


def test_the_flow_of_the_demo_notebooks_runs_unchanged() -> None:
    run, _ = as_wandb(FLOW)
    assert run.state == "finished"
    joined = art.Api().artifact("analysis:latest")
    made_by = joined.logged_by()
    assert made_by is not None
    assert made_by.id == run.id
    used = {one.collection.name for one in run.used_artifacts()}
    assert {"bdd_raw_data_50", "bdd_train", "bdd_test", "resnet", "test_results"} <= used


NAMES = """
import importlib.metadata, importlib.util
import wandb, wandb.env, wandb.util
from wandb import Artifact, data_types
from wandb.apis.public import Api
from wandb.errors import CommError, UsageError
from wandb.errors.term import termlog
from wandb.sdk.data_types import Image
from wandb.sdk.lib import RunDisabled
from wandb.sdk.lib.config_util import ConfigError
from wandb.sdk.wandb_run import Run
from wandb.wandb_run import Run as Again

assert Run is Again and data_types.Table is wandb.Table
assert importlib.metadata.version("wandb") == wandb.__version__
assert importlib.util.find_spec("wandb.sdk") is not None
assert len(wandb.util.generate_id()) == 8
assert wandb.run is None and "init" in dir(wandb)
run = wandb.init(project="a project of W&B's", resume="allow")
assert isinstance(run, Run) and not isinstance(run, RunDisabled)
for module, name in ((wandb, "nothing"), (wandb.sdk, "nothing"), (wandb.util, "nothing")):
    assert not hasattr(module, name)
run.finish()
"""


def test_what_libraries_import_from_wandb_is_there() -> None:
    run, _ = as_wandb(NAMES)
    assert run.state == "finished"


FOLDS = """
import wandb
for fold in range(3):
    run = wandb.init(project="cv", name=f"fold-{fold}", config={"fold": fold}, reinit=True)
    for epoch in range(2):
        wandb.log({"loss": 10 * fold + epoch}, step=epoch)
    run.finish()
"""


def test_runs_one_after_the_other_hide_no_rows_of_each_other() -> None:
    run, said = as_wandb(FOLDS)
    assert [row["loss"] for row in run.scan_history(["loss"])] == [0, 1, 10, 11, 20, 21]
    assert run.config == {"fold": 2}
    assert said.count("the run is in project demo, not in 'cv'") == 1


SWAPPED = """
import artstore as wandb
run = wandb.init(id=wandb.util.generate_id(), settings=wandb.Settings(start_method="thread"))
table = wandb.Table(data=[[1, 2], [3, 4]], columns=["x", "y"])
wandb.log({"curve": wandb.plot.line(table, "x", "y", title="t")})
wandb.termwarn("careful")
assert isinstance(run, wandb.sdk.wandb_run.Run) and wandb.wandb_sdk.wandb_run.Run is wandb.Run
assert wandb.data_types.Image is wandb.Image and wandb.apis.public.Api is wandb.Api
assert wandb.env.set_project
for missing in ("api.artifact('nothing:v0')", "api.run('nothing')"):
    for error in (wandb.errors.CommError, wandb.CommError, wandb.Error, wandb.errors.UsageError):
        api = wandb.Api()
        try:
            eval(missing)
        except error:
            pass
for name in ("sweep", "agent", "launch", "Graph"):
    try:
        getattr(wandb, name)
    except AttributeError as error:
        assert str(error).startswith(f"module 'artstore' has no attribute '{name}': "), error
    else:
        raise AssertionError(name)
for strange in ("nothing", "plots", "errors.Nothing", "util.nothing"):
    try:
        eval("wandb." + strange)
    except AttributeError:
        pass
    else:
        raise AssertionError(strange)
"""


def test_a_script_in_which_only_the_import_was_changed_finds_what_it_asks_for() -> None:
    Path("swapped.py").write_text(SWAPPED)
    done = subprocess.run(
        [sys.executable, "-W", "error", "swapped.py"],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "art: careful" in done.stderr
    (run,) = art.Api().runs("demo")
    (row,) = run.rows()
    assert row["curve"]["artifact"].startswith(f"demo/run-{run.id}-curve")


TRANSFORMERS = """
import os, torch
os.environ.update(WANDB_LOG_MODEL="checkpoint", WANDB_WATCH="all")
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                    intermediate_size=16, max_position_embeddings=16)
rows = [{"input_ids": torch.randint(0, 50, (8,)), "labels": torch.tensor(i % 2)} for i in range(8)]
arguments = TrainingArguments("out", report_to="wandb", num_train_epochs=1, logging_steps=1,
                              save_steps=1, per_device_train_batch_size=4, use_cpu=True,
                              run_name="bert", disable_tqdm=True)
Trainer(BertForSequenceClassification(config), arguments, train_dataset=rows).train()
"""

LIGHTNING = """
import lightning, torch
from lightning.pytorch.loggers import WandbLogger

class Model(lightning.LightningModule):
    def __init__(self, lr=0.1):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(2, 1)
    def training_step(self, batch, index):
        loss = self.layer(batch[0]).pow(2).mean()
        self.log("train/loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.hparams.lr)

rows = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(8, 2)), 4)
logger = WandbLogger(project="MNIST", log_model="all", name="bert")
model = Model()
logger.watch(model)
lightning.Trainer(max_epochs=1, logger=logger, accelerator="cpu", log_every_n_steps=1,
                  enable_progress_bar=False).fit(model, rows)
logger.log_table("rows", columns=["a"], data=[[1], [2]])
"""

KERAS = """
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras, numpy as np, wandb
from wandb.integration.keras import WandbCallback, WandbMetricsLogger, WandbModelCheckpoint
wandb.init(name="bert")
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
callbacks = [WandbMetricsLogger(log_freq=2), WandbModelCheckpoint("model.keras"), WandbCallback()]
model.fit(np.zeros((8, 2)), np.zeros((8, 1)), epochs=2, verbose=0, callbacks=callbacks)
"""


@pytest.mark.parametrize(
    ("needs", "script", "metric"),
    [
        ("transformers", TRANSFORMERS, "train/loss"),
        ("lightning", LIGHTNING, "train/loss"),
        ("keras", KERAS, "epoch/loss"),
    ],
)
def test_a_library_that_reports_to_wandb_reports_here(needs: str, script: str, metric: str) -> None:
    # They are too large for the extra `test`; `make reporters` installs them.
    if importlib.util.find_spec(needs) is None or importlib.util.find_spec("torch") is None:
        pytest.skip(f"{needs} is not installed")
    run, _ = as_wandb(script)
    assert (run.name, run.state) == ("bert", "finished")
    assert metric in run.summary
    assert any(one.type == "model" for one in run.logged_artifacts())

"""Files in the schema of the published leaderboard, made up."""

import json
import sqlite3

GENERATED = 1_700_000_000_000
CELL = (
    "id, task_name, model_org, model_ckpt, n_train, exp_cfg, argv, git_commit, posix, gpu_name, "
    "hostname"
)


def make_result(task="newt", model="ViT-B-32/openai", mean=0.5, low=0.4, high=0.6, **more):
    bounds = {"ci_low": low, "ci_high": high, "bootstrap_mean": mean}
    return {"task": task, "model": model, "mean": mean, **bounds, **more}


def make_model(ckpt="ViT-B-32/openai", **more):
    facts = {"display": "CLIP", "family": "CLIP", "resolution": 224, "params": 87_849_216}
    return {"ckpt": ckpt, **facts, "release_ms": 1_609_804_800_000} | more


def write_json(path, results, models=None, **meta):
    if models is None:
        names = [row["model"] for row in results if isinstance(row, dict) and "model" in row]
        models = [make_model(name) for name in dict.fromkeys(names) if isinstance(name, str)]
    meta = {"schema": 1, "generated": GENERATED, "git_commit": "a" * 40, "seed": 17} | meta
    path.write_text(json.dumps({"meta": meta, "models": models, "results": results}))
    return path


def make_cell(key=1, task="kabr", org="open-clip", ckpt="ViT-B-32/openai", n_train=-1, **more):
    row = {
        "id": key,
        "task_name": task,
        "model_org": org,
        "model_ckpt": ckpt,
        "n_train": n_train,
        "exp_cfg": json.dumps({"seed": 17}),
        "argv": json.dumps(["benchmark.py", "--cfg", "a"]),
        "git_commit": "b" * 40,
        "posix": 1_700_000_000,
        "gpu_name": "A100",
        "hostname": "node",
    }
    return row | more


def make_predictions(pairs, key=1, names=("y_true", "y_pred")):
    return [
        (f"img-{i}", float(t == p), json.dumps(dict(zip(names, (t, p), strict=True))), key)
        for i, (t, p) in enumerate(pairs)
    ]


def write_database(path, cells, predictions):
    with sqlite3.connect(path) as db:
        db.execute(f"CREATE TABLE experiments ({CELL})")
        db.execute("CREATE TABLE predictions (img_id, score, info, experiment_id)")
        rows = [tuple(cell[name] for name in CELL.split(", ")) for cell in cells]
        db.executemany(f"INSERT INTO experiments VALUES ({', '.join('?' * 11)})", rows)
        db.executemany("INSERT INTO predictions VALUES (?, ?, ?, ?)", predictions)
    db.close()
    return path

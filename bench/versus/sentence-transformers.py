"""sentence-transformers on the CPU: python sentence_transformers_contestant.py SETUP.json    see support/contestant-process.ts

Setup: { model, threads, texts, exportTo }. Runs "encode:<batch size>". Before it is ready it writes the encoder as an ONNX graph
to exportTo, unless that is absent or there already: the graph that transformers.js is given.
"""

import base64
import json
import os
import sys
import time
import warnings

with open(sys.argv[1], encoding="utf-8") as file:
    setup = json.load(file)
os.environ["OMP_NUM_THREADS"] = str(setup["threads"])
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "true"
os.environ["RAYON_NUM_THREADS"] = str(setup["threads"])


def say(reply):
    print(json.dumps(reply), flush=True)


try:
    import numpy
    import sentence_transformers
    import torch
except ImportError as error:
    say({"error": f"{error}; pip install -r bench/versus/requirements.txt"})
    sys.exit(0)

torch.set_num_threads(setup["threads"])
torch.set_num_interop_threads(1)


def load():
    return sentence_transformers.SentenceTransformer(setup["model"], device="cpu", local_files_only=True)


def export_encoder(path):
    """As the hub's onnx/model.onnx was made: TorchScript, eager attention, int64 inputs, last_hidden_state out. Returns why not, or None."""
    try:
        import onnx  # noqa: F401  (torch's exporter needs it)
    except ImportError:
        return "exporting needs the Python package onnx: pip install -r bench/versus/requirements.txt"
    model = load()
    bert = model[0].model if hasattr(model[0], "model") else model[0].auto_model
    bert.set_attn_implementation("eager")

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = bert

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.bert(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state

    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    example = torch.ones(2, 8, dtype=torch.long)
    partial = f"{path}.partial"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Encoder().eval(),
            (example, example, torch.zeros_like(example)),
            partial,
            dynamo=False,
            opset_version=17,
            input_names=inputs,
            output_names=["last_hidden_state"],
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in [*inputs, "last_hidden_state"]},
        )
    os.replace(partial, path)
    return None


export_failure = None
if setup.get("exportTo") and not os.path.exists(setup["exportTo"]):
    export_failure = export_encoder(setup["exportTo"])

model = load()
texts = setup["texts"]
say(
    {
        "ready": {
            "sentence-transformers": sentence_transformers.__version__,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "dtype": str(next(model.parameters()).dtype),
            "exportFailure": export_failure,
        }
    }
)


def encode(which, batch_size):
    return model.encode(which, batch_size=batch_size, show_progress_bar=False, convert_to_numpy=True)


for line in sys.stdin:
    request = json.loads(line)
    if "run" in request:
        batch_size = int(request["run"].removeprefix("encode:"))
        started_at = time.perf_counter()
        encode(texts, batch_size)
        say({"seconds": time.perf_counter() - started_at})
    else:
        vectors = numpy.ascontiguousarray(encode(texts[: request["vectors"]], 32), dtype="<f4")
        say({"vectors": base64.b64encode(vectors.tobytes()).decode(), "dimensions": vectors.shape[1]})

"""Makes the models in this folder: tiny ones with random weights and real tokenizers, as sentence-transformers saves them, and
expected.json with the token ids and vectors that sentence-transformers computes with them in float32.

    python make_fixtures.py        # torch 2.15, transformers 5.23, sentence-transformers 6.2, sentencepiece 0.2

Then `npx prettier --write test/models`, as for all files here. Running it again gives other weights in the last digits at most; the
tests compare with what lies beside them.
"""

import io
import json
import shutil
import tempfile
from pathlib import Path

import sentencepiece
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
)

HERE = Path(__file__).parent
VOCABULARY = 320
MAX_TOKENS = 24

CORPUS = [
    "A cat sleeps on the sofa beside the open window while rain falls on the roof.",
    "Two dogs run along the beach and bark at the waves, the gulls and the wind.",
    "The old man repairs his bicycle in front of the house and whistles a song.",
    "Snow covers the harbour; the boats lie still, and nobody walks on the quay.",
    "She doesn't know what they've done, and he'll never tell her that it's late.",
    "In 1887 the bridge was built, in 1934 it was widened, in 2019 it was closed.",
    "Ein Käfer krabbelt langsam über drei rote Ziegelsteine und fällt herunter.",
    "Le garçon a mangé une crêpe à la fenêtre, près du château.",
    "El niño corre por la playa detrás de una pelota amarilla.",
    "Кошка спит на диване у открытого окна.",
    "一只猫在窗边的沙发上睡觉。",
    "猫は窓のそばのソファで眠っている。",
] * 4

TEXTS = [
    "A cat sleeps on the sofa.",
    "",
    "rain",
    "Two dogs run along the beach, and the old man whistles; she doesn't know that it's 1934!",
    "  the   wind\tand\nthe\r\n\r\nwaves  ",
    "Ein Käfer krabbelt über 3 Ziegelsteine – LANGSAM, ΟΔΟΣ!",
    "一只猫在窗边 Кошка спит, naïve ﬁne ① 🎨🚲",
    "the wind and the rain and the snow and the sea " * 12,
    "One sentence. " * 9 + "x" * 300 + " and   more words after it, so that it is long " + "zebra " * 90,
    "cafe\u0301 e\u0301\u0323 soft\u00adhyphen\u3000ﬁ… ①② 👨\u200d👩\u200d👧 a\u0308",
    "what about <pad> and [SEP] and <mask> and </s> in a text?",
]


def train(model, trainer, normalizer, pre_tokenizer):
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def finish(tokenizer, processor, special):
    tokenizer.post_processor = processor
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=MAX_TOKENS, **special)


def wordpiece(lowercase=True):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = train(
        models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100),
        trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False),
        normalizers.BertNormalizer(lowercase=lowercase),
        pre_tokenizers.BertPreTokenizer(),
    )
    tokenizer.decoder = decoders.WordPiece()
    cls, sep = ("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))
    processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[cls, sep]
    )
    return finish(
        tokenizer,
        processor,
        dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]"),
    )


ROBERTA_SPECIAL = dict(
    bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>"
)


def byte_level_bpe():
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer = train(models.BPE(), trainer, None, pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.decoder = decoders.ByteLevel()
    ids = [(name, tokenizer.token_to_id(name)) for name in ("</s>", "<s>")]
    # RoBERTa's <mask> swallows the blanks before it.
    from tokenizers import AddedToken

    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    return finish(tokenizer, processors.RobertaProcessing(*ids, trim_offsets=True, add_prefix_space=False), ROBERTA_SPECIAL)


# As a file of normalisation rules for SentencePiece: what stands at the left becomes what stands at the right.
RULES = {
    "\t": " ",
    "\n": " ",
    "\r": " ",
    "\u00a0": " ",
    "\u3000": " ",
    "\u00ad": "",
    "ﬁ": "fi",
    "①": "1",
    "e\u0301": "é",
    "a\u0308": "ä",
    "…": "...",
}


def precompiled():
    """A small table as XLM-RoBERTa's tokenizer has a large one, taken out of a SentencePiece model."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        for left, right in RULES.items():
            file.write(" ".join(f"{ord(c):X}" for c in left) + "\t" + " ".join(f"{ord(c):X}" for c in right) + "\n")
        file.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS),
            model_writer=model,
            vocab_size=VOCABULARY,
            hard_vocab_limit=False,
            normalization_rule_tsv=file.name,
            minloglevel=2,
        )
    from transformers.utils import sentencepiece_model_pb2_new as protocol

    parsed = protocol.ModelProto.FromString(model.getvalue())
    return normalizers.Precompiled(parsed.normalizer_spec.precompiled_charsmap)


def unigram(normalizer=normalizers.NFKC, pre_tokenizer=None):
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=VOCABULARY, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    tokenizer = train(
        models.Unigram(),
        trainer,
        normalizer(),
        pre_tokenizer or pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
    )
    tokenizer.decoder = decoders.Metaspace()
    ids = [(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")]
    processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ids
    )
    return finish(tokenizer, processor, ROBERTA_SPECIAL)


SHAPE = dict(
    hidden_size=32,
    intermediate_size=48,
    num_attention_heads=4,
    num_hidden_layers=2,
    max_position_embeddings=32,
)
DISTIL_SHAPE = dict(dim=32, hidden_dim=48, n_heads=4, n_layers=2, max_position_embeddings=32)
ROBERTA_SHAPE = {**SHAPE, "max_position_embeddings": 34, "type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5}

# name: (configuration, tokenizer, pooling, normalised, element type, prefix of the tensor names, bytes in a file)
MODELS = {
    "bert-mean": (BertConfig(**SHAPE), wordpiece, "mean", True, torch.float32, "", None),
    "bert-cased-cls-f16": (
        BertConfig(**SHAPE, hidden_act="gelu_new"),
        lambda: wordpiece(lowercase=False),
        "cls",
        True,
        torch.float16,
        "bert.",
        None,
    ),
    "bert-unigram-mean-split": (BertConfig(**SHAPE, hidden_act="relu"), unigram, "mean", False, torch.float16, "", 24_000),
    "distilbert-mean-bf16": (DistilBertConfig(**DISTIL_SHAPE), wordpiece, "mean", False, torch.bfloat16, "", None),
    "distilbert-max": (
        DistilBertConfig(**DISTIL_SHAPE, activation="relu"),
        wordpiece,
        "max",
        True,
        torch.float16,
        "distilbert.",
        None,
    ),
    "roberta-mean": (RobertaConfig(**ROBERTA_SHAPE), byte_level_bpe, "mean", True, torch.float32, "roberta.", None),
    "roberta-cls": (
        RobertaConfig(**ROBERTA_SHAPE, hidden_act="gelu_pytorch_tanh"),
        byte_level_bpe,
        "cls",
        False,
        torch.float16,
        "0.auto_model.",
        None,
    ),
    "xlm-roberta-max": (XLMRobertaConfig(**ROBERTA_SHAPE), lambda: unigram(precompiled), "max", False, torch.float32, "", None),
}


def randomise(model, generator):
    """Weights as large as those of trained models, so that what a layer does can be seen in the vectors."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if name.lower().endswith("norm.weight"):
            parameter.data = 1 + 0.2 * noise
        elif parameter.dim() == 1:
            parameter.data = 0.1 * noise
        elif "embeddings" in name:
            parameter.data = 0.5 * noise
        else:
            parameter.data = 0.25 * noise


def store(folder, dtype, prefix, bytes_a_file):
    """Rewrites the weights as `dtype`, with `prefix` before the names, split where that is asked for."""
    whole = folder / "model.safetensors"
    tensors = {
        f"{prefix}{name}": tensor.to(dtype).contiguous()
        for name, tensor in load_file(whole).items()
        if "pooler" not in name
    }
    if bytes_a_file is None:
        save_file(tensors, whole, metadata={"format": "pt"})
        return
    whole.unlink()
    parts, size = [{}], 0
    for name, tensor in tensors.items():
        if size + tensor.nbytes > bytes_a_file and parts[-1]:
            parts.append({})
            size = 0
        parts[-1][name] = tensor
        size += tensor.nbytes
    names = [f"model-{i + 1:05}-of-{len(parts):05}.safetensors" for i in range(len(parts))]
    for name, part in zip(names, parts):
        save_file(part, folder / name, metadata={"format": "pt"})
    index = {
        "metadata": {"total_size": sum(tensor.nbytes for tensor in tensors.values())},
        "weight_map": {tensor: name for name, part in zip(names, parts) for tensor in part},
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))


def make(name, seed):
    config, make_tokenizer, pooling, normalised, dtype, prefix, bytes_a_file = MODELS[name]
    torch.manual_seed(seed)
    tokenizer = make_tokenizer()
    config.vocab_size = len(tokenizer)
    encoder = AutoModel.from_config(config).eval()
    randomise(encoder, torch.Generator().manual_seed(seed))
    encoder.to(dtype).float()

    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    source = HERE / f"{name}.tmp"
    encoder.save_pretrained(source)
    tokenizer.save_pretrained(source)
    transformer = Transformer(str(source), model_kwargs={"dtype": torch.float32}, max_seq_length=MAX_TOKENS)
    modules = [transformer, Pooling(32, pooling_mode=pooling), *([Normalize()] if normalised else [])]
    model = SentenceTransformer(modules=modules, device="cpu")
    model.eval()
    model.save(str(folder), create_model_card=False)
    shutil.rmtree(source)

    items = []
    for text in TEXTS:
        ids = model.preprocess([text])["input_ids"][0].tolist()
        vector = model.encode([text], convert_to_numpy=True)[0]
        items.append({"text": text, "ids": ids, "vector": [float(f"{value:.7g}") for value in vector]})
    store(folder, dtype, prefix, bytes_a_file)
    (folder / "expected.json").write_text(json.dumps(items, ensure_ascii=False, indent=None) + "\n")


for seed, name in enumerate(MODELS):
    make(name, seed)

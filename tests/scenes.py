"""Scenes of small models with weights drawn by chance, for the tests of pages."""

import torch

from gatelab.nn.inputs import Tokens
from gatelab.nn.models import SequenceModel
from gatelab.views.examples import Examples
from gatelab.views.scene import Facts, Find, Hit, make_scene
from gatelab.views.tables import TableText

HOSTILE = ("<script>document.title = 'broken'</script>", "</script>", "<b>bold</b>", "&lt;", "$title", "<!--", "\u2028")
"""Texts that would do something if a page took them for anything but text."""
WORDS = (*HOSTILE, "a", "film", "that", "is", "good")


def token_examples(lengths=(12, 7, 9), seed=0):
    """Texts of random words; the first one begins with all the hostile ones, the others with one each."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(len(WORDS), (max(lengths), len(lengths)), generator=generator)
    x[0] = torch.arange(len(lengths))
    x[: len(HOSTILE), 0] = torch.arange(len(HOSTILE))
    labels = tuple(tuple(WORDS[word] for word in own[:end]) for own, end in zip(x.T.tolist(), lengths, strict=True))
    target = torch.arange(len(lengths)) % 2
    return Examples(x, "tokens", labels, target, ("bad", "<good>"), lengths=torch.tensor(lengths))


def token_model(cell, hidden_size=6, output_size=1, **options):
    torch.manual_seed(len(cell))
    return SequenceModel(cell, Tokens(len(WORDS), 5), hidden_size, output_size, **options).eval()


def token_scene():
    """Two cells on the same texts, with a table, a search and facts."""
    table = TableText("A <table>", ("gate", "share"), ((("f", "0.5"),), (("<i>", "0.25"),)), ("A caption & more.",))
    hits = (Hit("that is good", 0.9, 1, 2, 5), Hit("<b>elsewhere</b>", 0.8))
    return make_scene(
        {"lstm": token_model("lstm"), "<f>": token_model("f", 4)},
        token_examples(),
        title="Two & <three>",
        tables=(table,),
        finds=(Find("A <search>", hits),),
        foot=(Facts("a run", (("learning_rate", "0.1"), ("<cell>", "h = tanh(W @ x)\n<b>"))),),
    )


def picture_scene():
    """A model that reads the rows of pictures."""
    torch.manual_seed(3)
    x = torch.rand(8, 3, 8)
    labels = (tuple(f"row {row}" for row in range(1, 9)),) * 3
    examples = Examples(x, "rows", labels, torch.tensor([1, 2, 0]), ("zero", "one", "two"))
    return make_scene(SequenceModel("gru", 8, 5, 3).eval(), examples, title="Pictures")


def value_scene():
    """A model that answers each step with a number."""
    torch.manual_seed(4)
    x = torch.rand(20, 2, 2)
    labels = tuple(tuple(f"{one:.2f}" for one in own) for own in x[..., 0].T.tolist())
    examples = Examples(x, "values", labels, x.sum(-1, keepdim=True), ("next",), are_classes=False)
    model = SequenceModel("lstm", 2, 3, 1, num_layers=2, reads="every").eval()
    return make_scene(model, examples, title="Numbers")

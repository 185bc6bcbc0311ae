"""Part-of-speech tagging with an LSTM over word embeddings, one sentence at a time."""

import torch
import torch.nn.functional as F
from torch import nn

SENTENCES = [
    ("the dog ate the apple", "DET NN V DET NN"),
    ("everybody read that book", "NN V DET NN"),
    ("that dog read everybody", "DET NN V NN"),
    ("everybody ate the big apple", "NN V DET ADJ NN"),
]
WORDS = {word: k for k, word in enumerate(sorted({w for sentence, _ in SENTENCES for w in sentence.split()}))}
TAGS = {tag: k for k, tag in enumerate(("DET", "NN", "V", "ADJ"))}


class Tagger(nn.Module):
    def __init__(self, embedding_dim: int = 6, hidden_dim: int = 6) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(len(WORDS), embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim)
        self.to_tag = nn.Linear(hidden_dim, len(TAGS))

    def forward(self, sentence: torch.Tensor) -> torch.Tensor:
        embedded = self.embeddings(sentence)
        output, _ = self.lstm(embedded.view(len(sentence), 1, -1))
        return F.log_softmax(self.to_tag(output.view(len(sentence), -1)), dim=1)


def encode(text: str, index: dict[str, int]) -> torch.Tensor:
    return torch.tensor([index[item] for item in text.split()])


def main() -> list[float]:
    model = Tagger()
    loss_function = nn.NLLLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    losses = []
    for _ in range(25):
        total = 0.0
        for sentence, tags in SENTENCES:
            model.zero_grad()
            loss = loss_function(model(encode(sentence, WORDS)), encode(tags, TAGS))
            loss.backward()
            optimizer.step()
            total += loss.item()
        losses.append(total / len(SENTENCES))
    with torch.no_grad():
        best = model(encode(SENTENCES[0][0], WORDS)).argmax(1)
    print(" ".join(list(TAGS)[tag] for tag in best))
    return losses


if __name__ == "__main__":
    print(main())

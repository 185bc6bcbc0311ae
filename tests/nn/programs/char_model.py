"""A character-level language model: the state is carried from chunk to chunk, detached, and then sampled from."""

import torch
from torch import nn

TEXT = """
the rain it raineth every day
with hey, ho, the wind and the rain
a great while ago the world begun
with hey, ho, the wind and the rain
but that's all one, our play is done
and we'll strive to please you every day
"""
LETTERS = sorted(set(TEXT))
INDEX = {letter: k for k, letter in enumerate(LETTERS)}
BATCH, CHUNK = 4, 12


class CharModel(nn.Module):
    def __init__(self, kind: str, hidden_size: int = 24, num_layers: int = 2) -> None:
        super().__init__()
        self.encoder = nn.Embedding(len(LETTERS), 12)
        self.rnn = getattr(nn, kind)(12, hidden_size, num_layers, batch_first=True)
        self.decoder = nn.Linear(hidden_size, len(LETTERS))

    def forward(self, letters, state=None):
        output, state = self.rnn(self.encoder(letters), state)
        return self.decoder(output), state


def detach(state):
    """The state without its history, so that gradients end at the chunk."""
    if isinstance(state, torch.Tensor):
        return state.detach()
    return tuple(detach(part) for part in state)


def sample(model: CharModel, start: str, length: int) -> str:
    model.eval()
    text, state = start, None
    letters = torch.tensor([[INDEX[letter] for letter in start]])
    with torch.no_grad():
        for _ in range(length):
            logits, state = model(letters, state)
            letters = torch.multinomial(logits[:, -1].softmax(-1), 1)
            text += LETTERS[letters.item()]
    return text


def main(kind: str = "LSTM") -> list[float]:
    data = torch.tensor([INDEX[letter] for letter in TEXT])
    columns = (len(data) - 1) // BATCH
    inputs, targets = (data[k : k + columns * BATCH].view(BATCH, columns) for k in (0, 1))
    model = CharModel(kind)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(8):
        model.train()
        state, total = None, 0.0
        for start in range(0, columns, CHUNK):
            chunk = slice(start, start + CHUNK)
            logits, state = model(inputs[:, chunk], state)
            loss = criterion(logits.reshape(-1, len(LETTERS)), targets[:, chunk].reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            state = detach(state)
            total += loss.item() * logits.shape[1]
        losses.append(total / columns)
    print(sample(model, "the ", 40))
    return losses


if __name__ == "__main__":
    print(main())

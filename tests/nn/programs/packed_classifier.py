"""The language of a name, letter by letter: padded and packed batches, and an LSTM in both directions."""

import torch
from torch import nn
from torch.utils.data import DataLoader

NAMES = {
    "Italian": "Rossi Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno",
    "Scottish": "Macdonald Campbell Stewart Mackay Ross Murray Fraser Macleod Graham Kerr",
    "Japanese": "Sato Suzuki Takahashi Tanaka Watanabe Ito Yamamoto Nakamura Kobayashi Kato",
}
LANGUAGES = list(NAMES)
EXAMPLES = [(name.lower(), language) for language, names in NAMES.items() for name in names.split()]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class NameClassifier(nn.Module):
    def __init__(self, embedding_dim: int = 8, hidden_size: int = 16) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS) + 1, embedding_dim, padding_idx=0)
        self.lstm = nn.LSTM(embedding_dim, hidden_size, num_layers=2, bidirectional=True, batch_first=True)
        self.classify = nn.Sequential(nn.Linear(2 * hidden_size, 16), nn.ReLU(), nn.Linear(16, len(LANGUAGES)))

    def forward(self, letters: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(letters), lengths, batch_first=True, enforce_sorted=False
        )
        output, (hidden, _) = self.lstm(packed)
        padded, _ = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
        forwards, backwards = hidden[-2], hidden[-1]
        return self.classify(torch.cat([forwards, backwards], dim=1) + padded.mean(dim=1))


def collate(examples: list[tuple[str, str]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Letters padded with 0, the lengths, and the languages."""
    names = [torch.tensor([LETTERS.index(letter) + 1 for letter in name]) for name, _ in examples]
    lengths = torch.tensor([len(name) for name in names])
    targets = torch.tensor([LANGUAGES.index(language) for _, language in examples])
    return nn.utils.rnn.pad_sequence(names, batch_first=True), lengths, targets


def main() -> list[float]:
    loader = DataLoader(EXAMPLES, batch_size=8, shuffle=True, collate_fn=collate)
    model = NameClassifier()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    losses = []
    for _ in range(8):
        total = 0.0
        for letters, lengths, targets in loader:
            optimizer.zero_grad()
            loss = criterion(model(letters, lengths), targets)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(targets)
        losses.append(total / len(EXAMPLES))
    model.eval()
    with torch.no_grad():
        letters, lengths, _ = collate([("yamada", "Japanese"), ("macarthur", "Scottish"), ("conti", "Italian")])
        print([LANGUAGES[guess] for guess in model(letters, lengths).argmax(1)])
    return losses


if __name__ == "__main__":
    print(main())

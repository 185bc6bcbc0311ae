"""A program written for torch, with one import changed: `from gatelab import nn` for `from torch import nn`."""

import torch

from gatelab import nn


class LastStep(nn.Module):
    """Says whether a sequence holds more ones than minus ones."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 16, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        return self.head(torch.cat([h[-2], h[-1]], dim=-1)).squeeze(-1)


def main() -> list[float]:
    """The loss every 20 steps, in nats."""
    torch.manual_seed(0)
    model = LastStep()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for step in range(101):
        lengths = torch.randint(3, 12, (32,))
        x = torch.randint(0, 2, (32, 11, 1)) * 2.0 - 1.0
        alive = torch.arange(11) < lengths[:, None]
        target = ((x.squeeze(-1) * alive).sum(1) > 0).float()
        loss = nn.functional.binary_cross_entropy_with_logits(model(x, lengths), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            losses.append(loss.item())
            print(f"step {step:3d}: {losses[-1]:.3f} nats")
    return losses


if __name__ == "__main__":
    main()

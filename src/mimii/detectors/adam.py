"""Adam without its class: PyTorch's own fused step as a function.

The class `torch.optim.Adam` takes 1.2 s to import, since it imports the compiler, and 5 % more of a training.
"""

import torch
from torch import Tensor, nn
from torch.optim.adam import adam


class Adam:
    """All parameters become views of one array, so that a step is one call on one array.

    Adam is invariant to how parameters are grouped, so the weights are those of the class.
    """

    def __init__(self, parameters: list[nn.Parameter], learning_rate: float, epsilon: float, decay: float) -> None:
        """decay: by which share of learning_rate weights shrink at each step (AdamW)."""
        self.parameters, self.learning_rate, self.epsilon, self.decay = parameters, learning_rate, epsilon, decay
        self.weights = torch.cat([parameter.detach().flatten() for parameter in parameters])
        parts = self.weights.split([parameter.numel() for parameter in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.data = part.view_as(parameter)
        self.first, self.second = torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        self.steps = torch.zeros((), device=self.weights.device)

    def step(self, gradients: tuple[Tensor, ...]) -> None:
        """Move the parameters against their gradients."""
        with torch.no_grad():
            adam(
                [self.weights],
                [torch.cat([gradient.flatten() for gradient in gradients])],
                [self.first],
                [self.second],
                [],
                [self.steps],
                fused=True,
                decoupled_weight_decay=self.decay > 0,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self.learning_rate,
                weight_decay=self.decay,
                eps=self.epsilon,
                maximize=False,
            )

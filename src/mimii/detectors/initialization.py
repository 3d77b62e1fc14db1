"""First weights of a network as Keras draws them."""

from torch import nn


def initialize_like_keras(module: nn.Module) -> None:
    """Glorot uniform weights and zero biases; of an LSTM, orthogonal recurrent weights and a forget bias of 1."""
    if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.RNNBase):
        for name, parameter in module.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(parameter)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(parameter)
            else:
                nn.init.zeros_(parameter)
                if name.startswith("bias_ih"):
                    nn.init.ones_(parameter[module.hidden_size : 2 * module.hidden_size])

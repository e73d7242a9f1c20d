"""The masked original: what a pruned checkpoint has to compute, made from the whole model by masking alone."""
import torch


def load_model(path, dtype=torch.float32):
    """A causal LM for evaluation (eager attention), and what from_pretrained says about its keys."""
    from transformers import AutoModelForCausalLM

    model, info = AutoModelForCausalLM.from_pretrained(
        path, dtype=dtype, attn_implementation="eager", output_loading_info=True, local_files_only=True
    )
    return model.eval(), info


def logits_of(model, ids):
    """[1, T] token ids -> [T, V] logits in the model's dtype."""
    with torch.no_grad():
        return model(ids, use_cache=False).logits[0]


class KeptLayers:
    """With-block in which only the layers in `keep` run. The kind of attention (full or windowed) follows its layer."""

    def __init__(self, model, keep):
        self.model, self.keep = model, list(keep)

    def __enter__(self):
        body, config = self.model.model, self.model.config
        self.layers, self.types = body.layers, getattr(config, "layer_types", None)
        body.layers = torch.nn.ModuleList(self.layers[i] for i in self.keep)
        if self.types is not None:
            config.layer_types = [self.types[i] for i in self.keep]
        config.num_hidden_layers = len(self.keep)
        return self.model

    def __exit__(self, *_):
        self.model.model.layers = self.layers
        if self.types is not None:
            self.model.config.layer_types = self.types
        self.model.config.num_hidden_layers = len(self.layers)


def zero_neurons(layer, keep):
    """Zeroes the FFN neurons outside `keep` where they enter down_proj; returns the hook's handle."""
    gate = torch.zeros(layer.mlp.down_proj.in_features)
    gate[keep] = 1
    return layer.mlp.down_proj.register_forward_pre_hook(lambda _, arguments: (arguments[0] * gate,))


def divergence(reference, candidate):
    """KL(reference || candidate) of each row of two logit matrices, nats, in float64.

    An entry of probability zero in the reference adds nothing, whatever the candidate says of it.
    """
    log_p = torch.log_softmax(reference.double(), -1)
    log_q = torch.log_softmax(candidate.double(), -1)
    terms = log_p.exp() * (log_p - log_q)
    return torch.where(log_p == -torch.inf, torch.zeros_like(terms), terms).sum(-1)

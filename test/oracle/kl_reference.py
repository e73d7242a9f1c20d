"""Writes pairs of logit matrices and their KL divergence in float64.

usage: kl_reference.py        (output: ../fixtures/kl.safetensors)

  p.<i>, q.<i>  [rows, V] reference and candidate logits, float32 unless the case says bf16 or f16
  kl.<i>        float64 [rows] KL(p || q) in nats, of the stored (rounded) logits
The file's metadata key `cases` is a JSON list of what each case is.
"""
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from masked import divergence

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "kl.safetensors"
generator = torch.Generator().manual_seed(20)


def noise(*shape):
    return torch.randn(*shape, generator=generator)


def random_pair(rows, columns):
    p = 3 * noise(rows, columns)
    return p, p + 0.5 * noise(rows, columns)


def peaked():
    """One entry far above the rest: in both, in p only, in q only, at different places, ends included."""
    p, q = random_pair(5, 700)
    p[0, 10] = q[0, 10] = 25
    p[1, 699] = 45
    q[2, 0] = 45
    p[3, 5], q[3, 600] = 80, 80
    p[4, 0], q[4, 0] = 30, 24
    return p, q


def offset():
    """Both matrices are the same up to a constant a row, but for rounding and, in the last rows, some noise."""
    p = 3 * noise(4, 500)
    q = p + torch.tensor([[1000.0], [-1000.0], [1000.0], [300.0]])
    q[2:] += 0.1 * noise(2, 500)
    return p, q


def masked_entries():
    """Rows 0, 1: -inf in p alone; rows 2, 3: in both, a few and nearly all."""
    p, q = random_pair(4, 300)
    p[0, 7], p[1, :150], p[2, ::3], p[3, 1:] = (-torch.inf,) * 4
    q[2, ::3], q[3, 2:] = (-torch.inf,) * 2
    return p, q


def nearly_equal():
    """KL is about (difference)^2 / 2, so the rows go from 0.5 to 4e-8."""
    scale = torch.tensor([1, 3e-1, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 4.5e-4, 2.8e-4])[:, None]
    p = 2 * noise(9, 2048)
    return p, p + scale * noise(9, 2048)


def rounded(dtype, columns):
    return tuple(each.to(dtype) for each in random_pair(3, columns))


def equal():
    p = 3 * noise(2, 129)
    return p, p.clone()


CASES = {
    "random": lambda: random_pair(5, 1000),
    "a row longer than any tile, odd": lambda: random_pair(3, 4097),
    "a row shorter than a vector register": lambda: random_pair(4, 17),
    "one token": lambda: random_pair(2, 1),
    "peaked": peaked,
    "offset": offset,
    "-inf in p alone, and in both": masked_entries,
    "nearly equal": nearly_equal,
    "bf16": lambda: rounded(torch.bfloat16, 1501),
    "f16": lambda: rounded(torch.float16, 1501),
    "equal": equal,
}


def divergence_again(p, q):
    """The same number by another road (no cancellation), to check the reference itself."""
    p, q = p.double(), q.double()
    log_p, log_q = torch.log_softmax(p, -1), torch.log_softmax(q, -1)
    d = torch.where(log_p == -torch.inf, torch.zeros_like(p), log_q - log_p)
    d[log_p == -torch.inf] = 0
    # sum p (e^d - 1 - d) = KL + (mass that q puts where p has none, with a minus)
    g = torch.where(d.abs() < 1e-3, d * d / 2 + d**3 / 6 + d**4 / 24 + d**5 / 120, torch.expm1(d) - d)
    lost = torch.where(log_p == -torch.inf, log_q.exp(), torch.zeros_like(p)).sum(-1)
    return (log_p.exp() * g).sum(-1) + lost


tensors = {}
for i, (case, make) in enumerate(CASES.items()):
    p, q = make()
    kl = divergence(p, q)
    again = divergence_again(p, q)
    assert kl.isfinite().all() and torch.allclose(kl, again, rtol=1e-7, atol=1e-14), (case, kl, again)
    tensors |= {f"p.{i}": p.contiguous(), f"q.{i}": q.contiguous(), f"kl.{i}": kl}
    print(f"{i:2} {case:40} {list(p.shape)} " + " ".join(f"{value:.3g}" for value in kl.tolist()))
# one metadata key: safetensors writes several in random order
save_file(tensors, OUT, metadata={"cases": json.dumps(list(CASES))})
print(f"{OUT.stat().st_size} bytes")

"""Candidates compute when folded what they computed while they trained."""

from __future__ import annotations

import pytest
import torch

from zoo.bodies import BODIES, LUMA, Branches, Candidate, Config


@pytest.mark.parametrize("body", list(BODIES))
def test_a_folded_body_computes_the_same(body: str) -> None:
    torch.manual_seed(0)
    network = Candidate(Config(body=body)).eval()
    for module in network.modules():
        if isinstance(module, Branches):
            for branch in module.thin:
                torch.nn.init.normal_(branch.get_parameter("weight"), std=0.05)
    image = torch.rand(1, 3, 14, 18)
    with torch.no_grad():
        trained, deployed = network(image), network.deploy()(image)
    assert trained.shape == (1, 3, 28, 36)
    torch.testing.assert_close(deployed, trained, rtol=0, atol=2e-5)
    assert sum(p.numel() for p in network.deploy().parameters()) < sum(p.numel() for p in network.parameters())


def test_an_untrained_body_adds_what_its_last_layer_says() -> None:
    """Luma first: the phases of RGB have the luma of one branch and the colours of the other."""
    network = Candidate(Config(body="luma-first-32x12")).eval()
    image = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        y = torch.einsum("c,nchw->nhw", LUMA[0], image)[:, None]
        phases = network.body(image).view(1, 3, 4, 8, 8)
        found = torch.einsum("dc,ncphw->ndphw", LUMA, phases)
        torch.testing.assert_close(found[:, 0], network.body.luma(y), rtol=0, atol=1e-5)
        torch.testing.assert_close(found[:, 1:].flatten(1, 2), network.body.colours(image), rtol=0, atol=1e-5)

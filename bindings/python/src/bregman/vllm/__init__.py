"""Logits processors for vLLM: `bregman.vllm.v1` and `bregman.vllm.v2`, for its two interfaces.

Neither is registered as a plug-in; an engine is told by name to load one:

    vllm serve MODEL --logits-processors bregman.vllm.v1:LogitsProcessor       (V2 model runner: bregman.vllm.v2)

and a request asks for it with a chain, and with vLLM's own truncations off:

    SamplingParams(temperature=1.0, top_k=0, top_p=1.0, extra_args={"bregman": "temperature(0.8) | top_k(floor=0.02)"})

Requests without the argument are left alone. The processors run before vLLM's temperature, so the chain owns it, and
vLLM draws. A row that cannot be decoded (NaN) is left as it is and reported to the `bregman.vllm` logger, once a
request: an exception would end the engine for everybody.
"""

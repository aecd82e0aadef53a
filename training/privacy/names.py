"""Names and places by Presidio, an extra: `pip install 'ratchet[privacy]'` and a spaCy pipeline.

Decisions: Presidio's own pattern recognisers stay out, ours are faster; only its spaCy recogniser is asked. It is
loaded once a process, and only where the config asks for it. Nothing is downloaded: the pipeline has to be there.
Not covered: fitting the pipeline to a language; `NameConfig.language` and `model` have to be of one.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from training.privacy.config import NameConfig
from training.privacy.errors import PrivacyError
from training.privacy.kinds import Finding, Pii

_ENTITIES = {"PERSON": Pii.NAME, "LOCATION": Pii.ADDRESS}


def find_names(text: str, config: NameConfig) -> Iterator[Finding]:
    """Yield names and, where asked for, places. Raises `PrivacyError` without Presidio or without the pipeline."""
    wanted = [entity for entity, kind in _ENTITIES.items() if config.addresses or kind is Pii.NAME]
    for result in _recogniser(config).analyze(text, config.language, wanted, score_threshold=config.min_score):
        yield Finding(_ENTITIES[result.entity_type], result.start, result.end)


@lru_cache(maxsize=4)
def _recogniser(config: NameConfig) -> Any:
    for package, how in (
        ("presidio_analyzer", "pip install 'ratchet[privacy]'"),
        (config.model, f"python -m spacy download {config.model}"),
    ):
        if importlib.util.find_spec(package) is None:
            raise PrivacyError(
                f"expected the package {package}, which finds names and addresses, found none; install it "
                f"({how}), or take data.privacy.names out of the settings"
            )
    presidio = importlib.import_module("presidio_analyzer")
    recognisers = importlib.import_module("presidio_analyzer.predefined_recognizers")
    engines = importlib.import_module("presidio_analyzer.nlp_engine")
    languages = [{"lang_code": config.language, "model_name": config.model}]
    registry = presidio.RecognizerRegistry(
        recognizers=[recognisers.SpacyRecognizer(supported_language=config.language)],
        supported_languages=[config.language],
    )
    return presidio.AnalyzerEngine(
        registry=registry,
        nlp_engine=engines.SpacyNlpEngine(models=languages),
        supported_languages=[config.language],
    )

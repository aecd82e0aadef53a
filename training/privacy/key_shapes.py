"""The shapes of keys and tokens that their issuers publish.

Decisions: a shape is what all such tokens begin with and what follows; the beginning stays when a token is replaced, so
that its issuer can be told. Shapes that begin with nothing of their own stand apart (`HEADLESS`).
Source: the issuers' own documentation, as gathered in GitHub's "Supported secret scanning patterns" and in the rules
of gitleaks (`config/gitleaks.toml`), those rules that name a shape of the token and not the word before it.
Not covered: tokens whose shape is any run of letters and digits (Heroku's and Snyk's UUIDs, Datadog's and Okta's keys);
these are found where a label names them (`training/privacy/keys.py`).
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Shape(NamedTuple):
    """One shape of tokens."""

    heads: str
    """What they begin with: one or more, with spaces between."""
    rest: str
    """A pattern of what follows."""


SHAPES = (
    Shape("sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_ pk_live_ pk_test_", r"[A-Za-z0-9]{10,200}"),  # Stripe
    Shape("sk-proj- sk-svcacct- sk-admin- sk-ant- sk-or-v1- sk-lf- pk-lf-", r"[A-Za-z0-9_-]{20,200}"),
    Shape("sk- pk- rk- sk_ pk_ rk_", r"(?=[a-z0-9_-]{0,40}[A-Z])(?=[A-Za-z_-]{0,40}[0-9])[A-Za-z0-9_-]{20,200}"),
    Shape("sk-", r"[0-9a-f]{32,64}"),  # DeepSeek and others with OpenAI's interface
    Shape("ghp_ gho_ ghu_ ghs_ ghr_", r"[A-Za-z0-9]{36,255}"),
    Shape("github_pat_", r"[A-Za-z0-9_]{22,255}"),
    Shape(
        "glpat- gldt- glrt- glptt- glft- glffct- glimt- glagent- gloas- glsoat- glcbt- GR1348941",
        r"[A-Za-z0-9_.-]{20,300}",
    ),
    Shape("AKIA ASIA ABIA ACCA", r"[0-9A-Z]{16}"),
    Shape("ABSK", r"[A-Za-z0-9+/]{109,269}={0,2}"),
    Shape("bedrock-api-key-", r"[A-Za-z0-9+/=_-]{40,400}"),
    Shape("AIza", r"[0-9A-Za-z_-]{35}"),
    Shape("ya29.", r"[0-9A-Za-z_-]{20,400}"),
    Shape("GOCSPX-", r"[0-9A-Za-z_-]{28}"),
    Shape("hf_ api_org_", r"[A-Za-z0-9]{30,64}"),
    Shape("xoxa- xoxb- xoxe- xoxp- xoxo- xoxs- xoxr- xoxe.xoxb- xoxe.xoxp-", r"[A-Za-z0-9-]{10,250}"),
    Shape("xapp-", r"[0-9A-Za-z-]{20,250}"),
    Shape("hooks.slack.com/services/ hooks.slack.com/workflows/ hooks.slack.com/triggers/", r"[A-Za-z0-9+/]{20,80}"),
    Shape("discord.com/api/webhooks/ discordapp.com/api/webhooks/", r"[0-9]{15,20}/[A-Za-z0-9_-]{40,100}"),
    Shape("webhook.office.com/webhookb2/", r"[A-Za-z0-9@/-]{80,250}"),
    Shape("npm_", r"[A-Za-z0-9]{36}"),
    Shape("pypi-", r"[A-Za-z0-9_-]{50,1000}"),
    Shape("rubygems_", r"[0-9a-f]{48}"),
    Shape("CLOJARS_", r"[0-9a-f]{60}"),
    Shape("dop_v1_ doo_v1_ dor_v1_", r"[0-9a-f]{64}"),
    Shape("dckr_pat_ dckr_oat_", r"[A-Za-z0-9_-]{20,64}"),
    Shape("SG.", r"[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"),
    Shape("xkeysib-", r"[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    Shape("key- pubkey-", r"[0-9a-f]{32}"),  # Mailgun
    Shape("SK AC", r"[0-9a-fA-F]{32}"),  # Twilio
    Shape("shpat_ shpca_ shppa_ shpss_", r"[0-9a-fA-F]{32}"),
    Shape("sq0atp- sq0csp-", r"[0-9A-Za-z_-]{22,60}"),
    Shape("EAAA", r"[0-9A-Za-z_-]{56,60}"),
    Shape("EAA", r"[0-9A-Za-z]{60,300}"),
    Shape("dapi", r"[0-9a-f]{32}(?:-[0-9])?"),
    Shape("HRKU-AA", r"[0-9A-Za-z_-]{58}"),
    Shape("lin_api_ lin_oauth_", r"[A-Za-z0-9]{40,64}"),
    Shape("nvapi-", r"[A-Za-z0-9_-]{60,70}"),
    Shape("gsk_", r"[A-Za-z0-9]{48,56}"),
    Shape("r8_", r"[A-Za-z0-9]{37}"),
    Shape("xai-", r"[A-Za-z0-9]{70,90}"),
    Shape("pplx-", r"[A-Za-z0-9]{40,60}"),
    Shape("csk-", r"[A-Za-z0-9]{40,60}"),  # Cerebras
    Shape("fw_", r"[A-Za-z0-9]{22,26}"),  # Fireworks
    Shape("tgp_v1_", r"[A-Za-z0-9_-]{40,50}"),  # Together
    Shape("pcsk_", r"[A-Za-z0-9_]{60,80}"),  # Pinecone
    Shape("tvly-", r"[A-Za-z0-9-]{30,60}"),
    Shape("jina_", r"[A-Za-z0-9_-]{50,70}"),
    Shape("lsv2_pt_ lsv2_sk_", r"[0-9a-f]{32}_[0-9a-f]{10}"),
    Shape("PMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}"),
    Shape("figd_", r"[A-Za-z0-9_-]{40,60}"),
    Shape("ATATT3", r"[A-Za-z0-9_=-]{50,250}"),
    Shape("hvs. hvb. hvr.", r"[A-Za-z0-9_-]{24,300}"),
    Shape("glsa_", r"[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"),
    Shape("glc_", r"[A-Za-z0-9+/]{32,400}={0,3}"),
    Shape("NRAK- NRII- NRJS-", r"[A-Za-z0-9-]{19,32}"),
    Shape("whsec_", r"[A-Za-z0-9+/=]{24,64}"),
    Shape("sbp_", r"[0-9a-f]{40}"),
    Shape("sb_secret_", r"[A-Za-z0-9_-]{20,60}"),
    Shape("ntn_", r"[A-Za-z0-9]{40,60}"),
    Shape("secret_", r"[A-Za-z0-9]{43}"),
    Shape("tskey-", r"[a-z]{2,10}-[A-Za-z0-9-]{20,80}"),
    Shape("dp.pt. dp.st. dp.ct. dp.sa.", r"[A-Za-z0-9.]{40,64}"),
    Shape("dt0c01.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    Shape("AGE-SECRET-KEY-1", r"[0-9A-Z]{58}"),
    Shape("sntryu_", r"[0-9a-f]{64}"),
    Shape("sntrys_", r"[A-Za-z0-9+/=_-]{60,500}"),
    Shape("pscale_tkn_ pscale_pw_ pscale_oauth_", r"[A-Za-z0-9_=.-]{32,64}"),
    Shape("pul-", r"[0-9a-f]{40}"),
    Shape("rdme_", r"[a-z0-9]{70}"),
    Shape("shippo_live_ shippo_test_", r"[0-9a-fA-F]{40}"),
    Shape("sgp_", r"(?:[0-9a-fA-F]{16}_|local_)?[0-9a-fA-F]{40}"),
    Shape("EZAK EZTK", r"[A-Za-z0-9]{54}"),
    Shape("duffel_live_ duffel_test_", r"[A-Za-z0-9_=-]{43}"),
    Shape("FLWSECK_TEST- FLWSECK-", r"[0-9a-h]{32}-X"),
    Shape("rzp_live_ rzp_test_", r"[A-Za-z0-9]{14}"),
    Shape("fo1_", r"[A-Za-z0-9_-]{43}"),
    Shape("fm1a_ fm1r_ fm2_", r"[A-Za-z0-9+/]{100,1000}={0,3}"),
    Shape("ops_eyJ", r"[A-Za-z0-9+/]{250,2000}={0,3}"),
    Shape("A3-", r"[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}"),
    Shape("p8e-", r"[A-Za-z0-9]{32}"),
    Shape("LTAI", r"[A-Za-z0-9]{20}"),
    Shape("AKCp", r"[A-Za-z0-9]{69}"),
    Shape("pnu_", r"[A-Za-z0-9]{36}"),
    Shape("sha256~", r"[A-Za-z0-9_-]{43}"),
    Shape("tfp_", r"[A-Za-z0-9_=.-]{59}"),
    Shape("PRVT- fio-u-", r"[A-Za-z0-9_=-]{64}"),
    Shape("sm_aat_ sm_pat_ sm_sat_", r"[A-Za-z0-9]{16}"),
    Shape("pk. sk. tk.", r"eyJ[A-Za-z0-9_-]{20,400}\.[A-Za-z0-9_-]{20,64}"),  # Mapbox
    Shape("AQVN", r"[A-Za-z0-9_-]{35,38}"),
)
"""By what they begin with."""
HEADLESS = (
    r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",  # Discord
    r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",  # Telegram
    r"eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,1000}",  # JWT
    r"eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}(?:\.(?![A-Za-z0-9]))?",  # JWT, unsigned
    r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",  # Microsoft Entra
    r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}",  # Terraform
    r"[0-9a-f]{32}-us[0-9]{1,2}",  # Mailchimp
    r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",  # Airtable
    r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk",  # MaxMind
)
"""Patterns of whole tokens that begin with nothing of their own."""


def heads() -> tuple[str, ...]:
    """Return all that tokens begin with, the longest first."""
    return tuple(
        sorted({head for shape in SHAPES for head in shape.heads.split()}, key=lambda head: (-len(head), head))
    )


def pattern() -> str:
    """Return the pattern of all shapes."""
    headed = (f"(?:{'|'.join(map(re.escape, shape.heads.split()))}){shape.rest}" for shape in SHAPES)
    return "|".join((*headed, *HEADLESS))

"""Texts that want to leave their place, and where a snippet could be left."""

from __future__ import annotations

import re

from hypothesis import strategies as st

OWN = "window.owned=1"
HOSTILE = (
    f"</script><script>{OWN}</script>",
    f"</SCRIPT ><img src=x onerror={OWN}>",
    f"<!--<script>{OWN}",
    f"--></script><svg onload={OWN}>",
    f"<![CDATA[</script>]]><script>{OWN}</script>",
    f'"}};{OWN};//',
    f"';{OWN};'",
    f'\\";{OWN};//',
    f"`${{{OWN}}}`",
    f"\u2028{OWN}\u2029",
    f"\n{OWN}\r\n",
    "\\u003c/script>",
    "&lt;/script&gt;&#39;&quot;&amp;",
    "\x00\x01\x1b\x7f\x85",
    "\ud800 \udfff",
    "\N{GRINNING FACE}\N{RIGHT-TO-LEFT OVERRIDE}\ufeff\ufffe",
    f"javascript:{OWN}",
    "%s %(nonce)s {0} $& $1",
    "__proto__",
    "",
)
"""What a value must survive, or be refused for."""

PIECES = st.sampled_from(["</script>", "<script>", "<!--", "-->", "]]>", "\u2028", "\\", '"', "'", "`", "${", "&lt;"])
TEXTS = st.lists(PIECES | st.text(st.characters(), max_size=12), max_size=6).map("".join)
"""Texts of all kinds, lone surrogates included; the dangerous pieces come often."""

TOKENS = st.lists(PIECES | st.text(st.characters(min_codepoint=33, max_codepoint=126)), min_size=1, max_size=6).map(
    lambda parts: re.sub("[^!-~]", "", "".join(parts)) or "x"
)
"""What an access token may have in it: all that can be seen of ASCII."""

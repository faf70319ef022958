"""Names of methods, by what they do to the object that they are called on: told by how people name them."""

from __future__ import annotations

import re
from typing import Final

CHANGING: Final = re.compile(
    r"(?:add|append|attach|clear|delete|discard|extend|fit|freeze|ingest|insert|optimi[sz]e|partial_fit|pop|populate|push|put"
    r"|register|remove|reset|reverse|set|setdefault|shuffle|train|unfreeze|update|upsert)(?:_\w+)?|\w+_"
)
"""Methods that change what they are called on, wherever they stand. `weights.zero_()` is torch's way to say so."""
LOOKING: Final = re.compile(
    r"(?:agg|all|any|apply|as|ask|astype|batch|call|chat|close|complete|completion|compute|copy|corr|count|create|describe"
    r"|display|draw|dropna|drop|dump|encode|decode|evaluate|explain|export|fillna|filter|find|flush|format|from|generate|get"
    r"|group|groupby|has|head|hist|index|info|invoke|is|isna|item|iter|join|json|key|list|local|lookup|map|max|mean|median"
    r"|merge|min|next|nlargest|nunique|parse|plot|predict|preview|print|profile|query|rank|raw|read|reduce|render|replay"
    r"|report|request|result|round|run|sample|save|savefig|score|search|select|send|shape|show|size|sort|split|start|stat"
    r"|stop|stream|str|sum|summary|tail|test|transform|translate|tree|unique|validate|value|view|visuali[sz]e|wait|where"
    r"|ainvoke|astream|abatch)s?|(?:to|is|as|has|get|with|from|value|sort|plot|print|run|describe|list|find|show|save)_\w+"
)
"""Methods that look, ask or make something new, where nothing else is said."""

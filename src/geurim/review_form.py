"""The form of a blind review: one HTML page that works offline and saves its answers as CSV.

The page's own policy lets nothing in but its one script, named by its hash. Without a script the
rows can still be read, and answered in the CSV file.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from geurim.html import STYLE, esc
from geurim.language import language, say

_MORE = """
fieldset{border:1px solid var(--line);border-radius:8px;background:var(--panel);margin:16px 0;
padding:12px;scroll-margin-top:72px}
fieldset:focus{outline:3px solid var(--s0)}fieldset.done{border-left:6px solid var(--s0)}
legend{font-weight:600;padding:0 6px}label{cursor:pointer}
.choice label{display:inline-block;border:1px solid var(--line);border-radius:8px;padding:8px 14px;
margin:8px 8px 0 0;background:var(--paper)}
input[type=text]{width:100%;padding:6px;font:inherit;color:inherit;background:var(--paper);
border:1px solid var(--line);border-radius:6px}
button{font:inherit;font-weight:600;padding:8px 16px;border-radius:8px;border:1px solid var(--s0);
background:var(--s0);color:var(--paper);cursor:pointer}
.bar{position:sticky;top:0;background:var(--paper);padding:10px 0;
border-bottom:1px solid var(--line);display:flex;gap:16px;align-items:center;flex-wrap:wrap;
z-index:1}
kbd{border:1px solid var(--line);border-radius:4px;padding:0 5px;font-size:13px}
td.v{font-variant-numeric:tabular-nums}.gone{color:var(--dim)}
:focus-visible{outline:3px solid var(--s0);outline-offset:1px}
"""

_SCRIPT = """
'use strict';
const rows=[...document.querySelectorAll('fieldset')];
const store='geurim-review '+document.title+' '+rows[0].id;
let at=0;
const radio=(row,kind)=>row.querySelector('input[type=radio][value='+kind+']');
const answer=row=>(row.querySelector('input[type=radio]:checked')||{value:''}).value;
const ticked=row=>[...row.querySelectorAll('input[type=checkbox]:checked')].map(box=>box.value);
const note=row=>row.querySelector('input[type=text]').value;
function shown(){
  let count=0;
  for(const row of rows){const done=answer(row)!=='';row.classList.toggle('done',done);count+=done}
  document.getElementById('count').textContent=document.body.dataset.count.replace('{count}',count).replace('{total}',rows.length);
}
function keep(){
  shown();
  try{localStorage.setItem(store,JSON.stringify(rows.map(r=>[r.id,answer(r),ticked(r),note(r)])))}catch(e){}
}
function restore(){
  let kept=null;
  try{kept=JSON.parse(localStorage.getItem(store))}catch(e){}
  for(const [id,said,boxes,text] of kept||[]){
    const row=document.getElementById(id);
    if(!row)continue;
    if(said)radio(row,said).checked=true;
    const all=row.querySelectorAll('input[type=checkbox]');
    for(const box of all)box.checked=boxes.includes(box.value);
    row.querySelector('input[type=text]').value=text;
  }
}
function go(to){
  at=Math.max(0,Math.min(rows.length-1,to));
  rows[at].focus();
  rows[at].scrollIntoView({block:'start'});
}
const quoted=text=>'"'+String(text).replace(/"/g,'""')+'"';
function sheet(){
  const lines=[['review_id','review_answer','review_giveaways','review_note']];
  for(const row of rows)lines.push([row.id,answer(row),ticked(row).join('; '),note(row)]);
  return '\\ufeff'+lines.map(line=>line.map(quoted).join(',')).join('\\r\\n')+'\\r\\n';
}
function save(){
  const name=document.getElementById('who').value.trim();
  const who=name.replace(/[^\\p{L}\\p{N}_-]+/gu,'-')||'answers';
  const link=document.createElement('a');
  link.href=URL.createObjectURL(new Blob([sheet()],{type:'text/csv'}));
  link.download=who+'.csv';
  document.body.append(link);link.click();link.remove();
}
document.addEventListener('focusin',event=>{
  const place=rows.indexOf(event.target.closest('fieldset'));
  if(place>=0)at=place;
});
document.addEventListener('input',keep);
document.addEventListener('keydown',event=>{
  if(event.target.type==='text'||event.ctrlKey||event.metaKey||event.altKey)return;
  const key=event.key.toLowerCase();
  if(key==='r'||key==='s'){radio(rows[at],key==='r'?'real':'synthetic').checked=true;keep();go(at+1)}
  else if(key==='n'||key==='j')go(at+1);
  else if(key==='p'||key==='k')go(at-1);
  else return;
  event.preventDefault();
});
document.getElementById('save').addEventListener('click',save);
restore();shown();
"""


def form(
    names: Sequence[str],
    shown: Sequence[tuple[str, list[str]]],
    reviewer: int,
    lang: str = "en",
) -> str:
    """The page: a row of the review each, with its values, two answers and what gave it away."""
    with language(lang):
        return _page(names, shown, reviewer, lang)


def _page(
    names: Sequence[str], shown: Sequence[tuple[str, list[str]]], reviewer: int, lang: str
) -> str:
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    rows = "".join(
        _row(names, name, values, i, len(shown)) for i, (name, values) in enumerate(shown, 1)
    )
    title = say("Real or synthetic?")
    numbered = say("Form {number}").format(number=reviewer)
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title} {numbered}</title><style>{STYLE}{_MORE}</style></head>\n"
        f'<body data-count="{esc(say(_COUNT))}"><h1>{title}</h1><p>{say(_HOW)}</p>{_keys()}'
        f'<div class="bar"><label>{say("Your name")} <input type="text" id="who" '
        'autocomplete="off" style="width:12em"></label>'
        f'<button type="button" id="save">{say("Save the answers (CSV)")}</button>'
        '<span id="count" role="status"></span></div>'
        f"<main>{rows}</main><script>{_SCRIPT}</script></body></html>\n"
    )


_COUNT = "{count} of {total} answered"
_HOW = (
    "Some of these rows were observed, the others were made by a program. Say of each which it is, "
    "by all you know of the field; a guess is an answer too, and what you leave open does not "
    "count. Tick the columns that gave a row away. When done, save the answers and send back the "
    "file. Answers stay in this browser until then."
)
_KEYS = (
    "Keys: {R} real, {S} synthetic (and on to the next row), {N} next, {P} previous; {Tab} and "
    "{Space} tick columns."
)


def _keys() -> str:
    keys = {k: f"<kbd>{k}</kbd>" for k in ("R", "S", "N", "P", "Tab", "Space")}
    return f'<p class="small dim">{say(_KEYS).format(**keys)}</p>'


def _row(names: Sequence[str], name: str, values: Sequence[str], number: int, total: int) -> str:
    gone = f"<span class=gone>{say('missing')}</span>"
    away = say("gave it away")
    lines = "".join(
        f'<tr><th scope="row">{esc(column)}</th>'
        f'<td class="v">{esc(value) if value else gone}</td>'
        f'<td><input type="checkbox" value="{esc(column)}" '
        f'aria-label="{esc(column)}: {away}"></td></tr>'
        for column, value in zip(names, values, strict=True)
    )
    choices = "".join(
        f'<label><input type="radio" name="{name}" value="{kind}"> {say(kind)}</label>'
        for kind in ("real", "synthetic")
    )
    where = say("Row {number} of {total}").format(number=number, total=total)
    head = "".join(f'<th scope="col">{word}</th>' for word in (say("column"), say("value"), away))
    return (
        f'<fieldset id="{name}" tabindex="-1"><legend>{where}</legend>'
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
        f'<div class="choice" role="radiogroup" aria-label="{where}">{choices}</div>'
        f'<p><label class="small">{say("Note")} <input type="text"></label></p></fieldset>'
    )

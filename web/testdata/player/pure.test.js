import { equal, ok, test } from './check.js';
import { changesOf, entryAt, indexAt, within } from '/player/lookup.js';
import { number, own, seconds, string } from '/player/values.js';
import { resolver, webLink } from '/player/links.js';
import { messageParts, notesFragment } from '/player/markup.js';
import { wrap, createMeasure } from '/player/text.js';
import { fittingSize } from '/player/tldraw1.js';
import { bentMiddle, leaving, wayOver } from '/player/geometry.js';
import { outlineOf } from '/player/tldraw2-geo.js';
import { strokePath } from '/player/ink.js';
import { parse } from '/player/xml.js';
import { around, find } from '/player/search.js';

test('the last entry at or before a time counts', () => {
	const entries = [0, 1, 1, 5].map((time, n) => ({ time, n }));
	equal([-1, 0, 0.5, 1, 4.9, 5, 99].map((t) => indexAt(entries, t)), [-1, 0, 0, 2, 2, 3, 3]);
	equal(entryAt([], 3), null);
});

test('an interval ends before its end', () => {
	const shared = [{ start: 1, stop: 2 }, { start: 4, stop: 5 }];
	equal([0, 1, 1.9, 2, 4.5, 5].map((t) => within(shared, t)), [false, true, true, false, true, false]);
});

/** What of a drawing is shown at times, replaying the changes. */
function replay(versions, revives, times) {
	const changes = changesOf(versions.map(([time, undo], n) => ({ key: 'a', time, undo, data: n })), revives);
	return times.map((t) => changes.filter((change) => change.time <= t).reduce((_, change) => change.after?.data ?? null, null));
}

test('a drawing shows its newest version until it is taken away', () => {
	equal(replay([[1, 4], [2, 4]], false, [0, 1, 2, 3.9, 4, 9]), [null, 0, 1, 1, null, null]);
	equal(replay([[1, null], [2, 3]], false, [1, 2, 3]), [0, 1, null], 'svg');
	equal(replay([[1, null], [2, 3]], true, [1, 2, 3]), [0, 1, 0], 'tldraw');
	equal(replay([[1, 3], [5, null]], true, [2, 3, 5]), [0, null, 1], 'drawn again');
	equal(replay([[2, 1], [2, 2]], true, [0, 2, 3]), [null, null, null], 'gone before it came');
	equal(replay([[0, null], [0, 0]], false, [0, 1]), [null, null], 'svg, gone as it came');
	equal(replay([[0, null], [5, 3]], false, [0, 4, 5]), [0, 0, null], 'svg, gone before it came');
});

test('going back over changes restores what was before', () => {
	const changes = changesOf([{ key: 'a', time: 1, undo: 2, data: 0 }, { key: 'a', time: 3, undo: null, data: 1 }], true);
	equal(changes.map(({ time, before, after }) => [time, before?.data, after?.data]), [[1, undefined, 0], [2, 0, undefined], [3, undefined, 1]]);
});

test('values from outside become harmless', () => {
	equal([number('1.5'), number(''), number('x', 7), number(NaN, 7), number(Infinity, 7), number(1e300), number(-5, 0, 0), number({}, 7), number([4], 7), number(null, 7)],
		[1.5, 0, 7, 7, 7, 1e6, 0, 7, 7, 7]);
	equal([seconds('-1'), seconds('2'), seconds(undefined)], [0, 2, null]);
	equal(string('a\u202eb\u0000c'), 'abc');
	equal([own({ red: 1 }, 'red', 0), own({ red: 1 }, 'constructor', 0), own({ red: 1 }, '__proto__', 0), own({}, {}, 0)], [1, 0, 0, 0]);
});

test('addresses stay below the root', () => {
	const resolve = resolver('/presentation/r/');
	equal(resolve('presentation/p/slide-1.png'), '/presentation/r/presentation/p/slide-1.png');
	equal(resolve('a b/ü%20c.png'), '/presentation/r/a%20b/%C3%BC%20c.png');
	equal(resolve('/presentation/r/file-uploads/x.png'), '/presentation/r/file-uploads/x.png');
	for (const bad of ['../x', 'a/../../x', 'a/%2e%2e/x', '%2e%2e%2fx', '//evil.example/x', 'https://evil.example/x', 'javascript:alert(1)',
		'data:image/png;base64,x', '/etc/passwd', '/presentation/other/x', 'a\\b', 'a?b', 'a#b', '', 'a//b', 'a\u0000b', null, 7, {}, './x', '/presentation/r/../x']) {
		equal(resolve(bad), null, String(bad));
	}
});

test('only web pages are linked', () => {
	equal(webLink(' https://bbb.example/a?b#c '), 'https://bbb.example/a?b#c');
	for (const bad of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc', '/x', 'https://', 'https://u:p@host/', 'ftp://x', 7, null]) {
		equal(webLink(bad), null, String(bad));
	}
});

test('messages become text and links', () => {
	equal(messageParts('Hello &amp; <b>you</b>'), [{ text: 'Hello & you' }]);
	equal(messageParts('see <a href="https://x.example/" rel="nofollow"><u>the bank</u></a>!'),
		[{ text: 'see ' }, { href: 'https://x.example/', text: 'https://x.example/' }, { text: '!' }]);
	equal(messageParts('<a href="javascript:alert(1)">click</a>'), [{ text: 'click' }]);
	equal(messageParts('plain https://x.example/a_(b), end'), [{ text: 'plain ' }, { href: 'https://x.example/a_(b', text: 'https://x.example/a_(b' }, { text: '), end' }]);
	equal(messageParts('[doc](https://x.example/d) **bold**'), [{ text: 'doc ' }, { href: 'https://x.example/d', text: 'https://x.example/d' }, { text: ' **bold**' }]);
	equal(messageParts('a<script>alert(1)</script><style>b{}</style><img src=x onerror=alert(1)>c'), [{ text: 'ac' }]);
	equal(messageParts('a<br>b'), [{ text: 'a\nb' }]);
	equal(messageParts('<img src="file-uploads/x.png">', resolver('/p/r/')), [{ href: '/p/r/file-uploads/x.png', text: 'x.png' }]);
	equal(messageParts(undefined), []);
	equal(messageParts('1 < 2 &lt;b&gt; &#128077;&#x41;&eacute;&nbsp;&nosuch; <!-- <b>no</b> -->&amp;lt;'), [{ text: '1 < 2 <b> 👍Aé\u00a0&nosuch; &lt;' }]);
	equal(messageParts('<p title="a>b" style=x onclick="y">one</p><p>two</p>'), [{ text: 'one\ntwo' }]);
	equal(messageParts("<A HREF='https://x.example/?a=1&amp;b=2'>x</A>"), [{ href: 'https://x.example/?a=1&b=2', text: 'https://x.example/?a=1&b=2' }]);
	equal(messageParts('<b title="never closed>bold</b> and <i>on'), [{ text: 'bold and on' }]);
	equal(messageParts('a<svg><svg></svg><a href="https://x.example/">no</a></svg>b<script>"</script>c<textarea>d'), [{ text: 'abc' }]);
	equal(messageParts('<'), [{ text: '<' }]);
});

test('what is long and never closed is read to its end, or its bound', () => {
	for (const piece of ['<a "', '<', '<!--', '<!-- >', '&amp', "<a href='", '<p ', '<b>', `<a ${'x'.repeat(7000)}>`, `<a${' '.repeat(7000)}>`, '[[', 'http://']) {
		ok(messageParts(piece.repeat(Math.ceil(20000 / piece.length))).length <= 201, `parts of ${piece.slice(0, 9)}`);
		ok(notesFragment(piece.repeat(Math.ceil(2000000 / piece.length))).querySelectorAll('*').length <= 50000, `notes of ${piece.slice(0, 9)}`);
	}
});

test('notes keep their form and nothing else', () => {
	const holder = document.createElement('div');
	holder.append(notesFragment('<html><head><title>t</title></head><body onload="x()"><h1 style="x">Head</h1><ul class="a"><li>one<script>x()</script></li></ul>' +
		'<a href="javascript:x()">bad</a><a href="https://y.example/" onclick="x()">good</a><img src=x onerror=x()><svg onload=x()></svg><iframe srcdoc="x"></iframe></body></html>'));
	const nested = document.createElement('div');
	nested.append(notesFragment('<ul><li>a<li>b<ul><li>c</ul></ul></p>d<p>e<p>f' + '<div>'.repeat(9000)));
	ok(nested.innerHTML.startsWith('<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>d<p>e</p><p>f<div>'), nested.innerHTML.slice(0, 200));
	equal(holder.innerHTML, '<h3>Head</h3><ul><li>one</li></ul>bad<a href="https://y.example/" rel="noopener noreferrer nofollow" target="_blank">good</a>');
});

test('text is broken where it must be', () => {
	const measure = (text) => text.length;
	equal(wrap('one two three', 7, measure), ['one two', 'three']);
	equal(wrap('abcdefghij k', 4, measure), ['abcd', 'efgh', 'ij k']);
	equal(wrap('a\n\nb', 9, measure), ['a', '', 'b']);
	equal(wrap('one two', Infinity, measure), ['one two']);
	equal(wrap('😀😀😀', 3, measure).join('|'), '😀|😀|😀');
	const fits = fittingSize('wide line of text\nx', 100, 400, 'Arial', createMeasure());
	ok(fits > 8 && fits < 20, `fitting size ${fits}`);
});

test('an arc goes over its middle', () => {
	const way = wayOver({ x: 0, y: 0 }, bentMiddle({ x: 0, y: 0 }, { x: 100, y: 0 }, 50), { x: 100, y: 0 });
	const middle = way.at(0.5);
	equal([Math.round(middle.x), Math.round(middle.y), Math.round(way.arc.radius)], [50, 50, 50]);
	equal(wayOver({ x: 0, y: 0 }, { x: 50, y: 0 }, { x: 100, y: 0 }).arc, null);
	const far = wayOver({ x: 0, y: 0 }, bentMiddle({ x: 0, y: 0 }, { x: 100, y: 0 }, -150), { x: 100, y: 0 });
	ok(Math.abs(far.arc.sweep) > Math.PI && Math.round(far.at(0.5).y) === -150, 'more than half a circle');
	equal([far.at(0), far.at(1)].map(({ x, y }) => [Math.round(x) + 0, Math.round(y) + 0]), [[0, 0], [100, 0]]);
});

test('a way leaves the outline it starts in', () => {
	const box = outlineOf('rectangle', 100, 100).corners;
	const at = (part) => ({ x: 50 + 100 * part, y: 50 });
	ok(Math.abs(leaving(at, box) - 0.5) < 0.001, 'half way');
	equal(leaving((part) => ({ x: 200 + part, y: 0 }), box), 0);
});

test('every geometric shape has an outline that fills its box', () => {
	for (const kind of ['rectangle', 'ellipse', 'triangle', 'diamond', 'pentagon', 'hexagon', 'octagon', 'star', 'rhombus', 'rhombus-2', 'oval',
		'trapezoid', 'cloud', 'arrow-left', 'arrow-right', 'arrow-up', 'arrow-down', 'x-box', 'check-box', 'no such kind', '__proto__']) {
		const { path, corners } = outlineOf(kind, 200, 100);
		ok(/^M[^NI]*Z$/.test(path), `${kind}: ${path}`);
		const xs = corners.map(({ x }) => x);
		const ys = corners.map(({ y }) => y);
		equal([Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)].map(Math.round), [0, 200, 0, 100], kind);
	}
});

test('a stroke of one point is a dot', () => {
	equal(strokePath([{ x: 3, y: 4 }]), 'M3 4L3.01 4');
	equal(strokePath([]), '');
});

test('what a browser would act upon is renamed before it parses', () => {
	const { document: read, damaged } = parse(`<svg xmlns="http://www.w3.org/2000/svg" style="a:b" text=" style='kept' " onclick='x()'><style>c</style><x:script
xmlns:x="http://www.w3.org/1999/xhtml">d</x:script><g style = "e>f" id="style"> style="text" </g></svg>`);
	equal(damaged, false);
	equal([...read.querySelectorAll('*')].map((node) => `${node.localName}: ${[...node.attributes].map(({ name, value }) => `${name}=${value}`).filter((each) => !each.startsWith('xmlns')).join('|')}`),
		["svg: data-style=a:b|text= style='kept' |data-onclick=x()", 'x-style: ', 'x-x-script: ', 'g: data-style=e>f|id=style']);
	equal(read.querySelector('g').textContent, ' style="text" ');
});

test('the search finds a text however its accents and ligatures are written', () => {
	const finds = (text, query) => find([{ time: 0, name: '', text }], query).length === 1;
	for (const [text, ...queries] of [
		['Über Größen', 'Über', 'uber', 'GRÖßEN', 'größen'], ['drei cafés', 'cafés', 'cafes'],
		['Đà Nẵng', 'Đà Nẵng', 'đa nang'], ['한글', '한글'], ['der \ufb01lm', 'film', '\ufb01lm'], ['e\ufb03zient', 'effi'],
		['Ẹ̀kọ́', 'eko'], ['x̂y', 'xy', 'X̂Y'], ['שָׁלוֹם', 'שלום'], ['مَدْرَسَة', 'مدرسة'], ['ΟΔΟΣ', 'οδος'], ['İzmir', 'izmir'], ['हिन्दी', 'हिन्दी'], ['ภาษาไทย', 'ไทย'],
	]) {
		for (const query of queries) {
			for (const form of ['NFC', 'NFD']) {
				ok(finds(text.normalize('NFC'), query.normalize(form)) && finds(text.normalize('NFD'), query.normalize(form)), `${query} (${form}) in ${text}`);
			}
		}
	}
	ok(!finds('Über Größen', 'Ober'), 'another word');
	ok(!finds('हिन्दी', 'हन्द'), 'where marks are vowels, they count');
});

test('a place that was found shows its text as it was written, with the words marked', () => {
	const shows = (text, query) => around(text, query).map((p) => (p.hit ? `[${p.text}]` : p.text)).join('');
	equal(shows('Über 10⁵ Größen'.normalize('NFD'), 'uber 105 größen'), '[Über] [10⁵] [Größen]'.normalize('NFC'));
	equal(shows('😀 der \ufb01lm', 'film'), '😀 der [\ufb01lm]');
	equal(shows('der \ufb01lm', 'der f'), '[der] [\ufb01]lm');
	equal(shows('anana banana', 'ana'), '[anana] b[anana]');
	const long = shows(`${'a '.repeat(40)}film${' b'.repeat(90)}`, 'film');
	ok(/^…( ?a){15} \[film\]( b){43}…$/.test(long), long);
});

import { equal, ok, test } from './check.js';
import { all as newShapes } from './tldraw2.test.js';
import { all as oldShapes } from './tldraw1.test.js';
import { loaded, media, metadata, panzoomsOf, cursorOf, shapesOf, staged, whiteboardFiles } from './samples.js';

const evils = [null, 'x', '__proto__', 'constructor', -1, 1e308, 1e-308, Infinity, NaN, '"><script>alert(1)</script>', 'url(https://evil.example/x)', {}, [], [[]], [null], { x: {} }, true, 'javascript:alert(1)', '\u0000'];

/** Everything that is put in the page for a drawing is what a picture may hold. */
function checkNodes(element) {
	const allowed = new Set(['svg', 'g', 'defs', 'pattern', 'path', 'rect', 'circle', 'ellipse', 'line', 'polyline', 'polygon', 'text', 'image']);
	for (const node of element.querySelectorAll('*')) {
		ok(allowed.has(node.localName), `element ${node.localName}`);
		for (const { name, value } of node.attributes) {
			ok(!/^on|^xlink|^style$/.test(name) || (name === 'style' && value === 'white-space: pre;'), `attribute ${name}=${value}`);
			ok(name !== 'href' || value.startsWith('/presentation/r/'), `href ${value}`);
			ok(name === 'data-shape' || !/NaN|Infinity|undefined|evil|script/.test(value), `${name}=${value}`);
			ok(!/url\(/.test(value) || /^url\(#hatch-\w+-\d+\)$/.test(value), `${name}=${value}`);
		}
	}
}

/** Copies of data with one member after the other replaced. */
function spoiled(data, evil, depth = 0) {
	const copies = [];
	for (const key of Object.keys(data)) {
		if (key === 'id') {
			continue;
		}
		copies.push({ ...data, [key]: evil });
		const inner = data[key];
		if (depth < 2 && inner && typeof inner === 'object' && !Array.isArray(inner)) {
			copies.push(...spoiled(inner, evil, depth + 1).map((copy) => ({ ...data, [key]: copy })));
		} else if (Array.isArray(inner) && inner.length > 0) {
			copies.push({ ...data, [key]: [evil, ...inner] }, { ...data, [key]: inner.map(() => evil) });
		}
	}
	return copies;
}

for (const [name, shapes, version] of [['tldraw 1', oldShapes, '2.7.0'], ['tldraw 2', newShapes, '3.0.0']]) {
	test(`${name}: no value breaks a painting or gets into the page`, async () => {
		const versions = shapes.flatMap((data) => evils.flatMap((evil) => spoiled(data, evil))).map((data, i) => [{ ...data, id: `s${i}` }]);
		ok(versions.length > 1000, `${versions.length} spoiled drawings`);
		for (let i = 0; i < versions.length; i += 2000) {
			const { stage, element } = await staged(whiteboardFiles([...versions.slice(i, i + 2000), [{ ...shapes[0], id: 'well' }]], version));
			stage.update(1);
			ok(element.querySelector('[data-shape=well] path'), 'the others are shown');
			checkNodes(element);
			stage.destroy();
		}
	});
}

test('drawings that lie in each other in a circle are shown', async () => {
	const rect = (id, parentId, type = 'group') => ({ id, typeName: 'shape', type, x: 1, y: 1, index: 'a1', parentId, props: { w: 5, h: 5, geo: 'rectangle' } });
	const ring = Array.from({ length: 200 }, (_, i) => [rect(`g${i}`, `g${(i + 1) % 200}`)]);
	const self = [[rect('self', 'self', 'frame')], [rect('in', 'self', 'geo')], [rect('a', 'b')], [rect('b', 'a')], [rect('leaf', 'a', 'geo')]];
	const bound = { ...rect('arrow', 'b', 'arrow'), props: { start: { type: 'binding', boundShapeId: 'g1', normalizedAnchor: { x: 0, y: 0 } }, end: { type: 'binding', boundShapeId: 'arrow' } } };
	const { stage, element } = await staged(whiteboardFiles([...ring, ...self, [bound]]));
	stage.update(1);
	equal(element.querySelectorAll('[data-shape]').length, 206);
	checkNodes(element);
	stage.destroy();
});

test('a hundred thousand points are drawn with fewer', async () => {
	const points = Array.from({ length: 100000 }, (_, i) => ({ x: i / 50, y: Math.sin(i) * 100, z: 0.5 }));
	const { stage, element } = await staged(whiteboardFiles([[{ id: 's', typeName: 'shape', type: 'draw', x: 0, y: 0, index: 'a1', props: { segments: [{ type: 'free', points }] } }]]));
	stage.update(1);
	ok(element.querySelector('[data-shape=s] path').getAttribute('d').length < 500000, 'shorter');
	stage.destroy();
});

test('elements of shapes.svg that do harm are left out', async () => {
	const evil = `<g class="canvas" id="canvas1" image="image1">
		<g class="shape" timestamp="0" undo="-1" shape="a" onclick="alert(1)" style="fill:url(https://evil.example/x);stroke:red;background:url(x)">
			<script>alert(1)</script><path d="M0 0L1 1" onload="alert(1)"/><path d="M0 0&quot;&gt;&lt;script"/><image xlink:href="https://evil.example/x.png" width="1" height="1"/>
			<image xlink:href="javascript:alert(1)"/><image xlink:href="../../x/y.png"/><use xlink:href="#svgfile"/><animate attributeName="href" values="javascript:alert(1)"/>
			<a xlink:href="javascript:alert(1)"><circle r="1" cx="1e999" cy="NaN"/></a><style>*{display:none}</style>
			<switch><foreignObject x="1" y="x" width="50" height="9"><p style="color:url(x);font-size:9e9px">&lt;b&gt;text<iframe xmlns="http://www.w3.org/1999/xhtml" src="x"/><script xmlns="http://www.w3.org/1999/xhtml">alert(1)</script></p></foreignObject></switch>
		</g>
		<g class="shape" timestamp="x" undo="-1" shape="b"><path d="M0 0"/></g>
		<g class="shape" timestamp="0" undo="-1" shape="__proto__"><path d="M5 5L6 6"/></g>
	</g>`;
	const { stage, element, recording } = await staged({ ...media, 'metadata.xml': metadata, 'slides_new.xml': '<popcorn/>', 'cursor.xml': cursorOf([[0, 'NaN 1e999'], [0, '1']]),
		'panzooms.xml': panzoomsOf([[0, 'a b c d'], [0, '0 0 0 0'], [1, '1 2 3'], ['x', '0 0 1 1']]),
		'shapes.svg': shapesOf([['image1', '0', 'https://evil.example/slide-1.png'], ['__proto__', '9', '../../etc/passwd', 'x', -4]], evil) });
	stage.update(1);
	equal(recording.slides.map(({ href, width, height }) => [href, width, height]), [[null, 1600, 900], [null, 1600, 1]]);
	equal([stage.current().viewBox, stage.current().cursor, stage.current().drawings], [[0, 0, 1600, 900], null, 2]);
	equal(element.querySelector('[data-shape=a]').getAttribute('stroke'), 'red');
	equal([...element.querySelectorAll('[data-shape=a] text')].map((line) => line.textContent).join(''), '<b>text');
	checkNodes(element);
	stage.update(10);
	equal(stage.current().slide.id, '__proto__');
	checkNodes(element);
	stage.destroy();
});

test('files of the wrong kind are borne', async () => {
	for (const junk of ['', '{}', '[]', 'null', '7', '"x"', '<a>', '\u0000\ufffd', '[[[', '{"1":{"shapes":{"a":1}},"2":null,"3":{"shapes":[null,1,{"shape_data":null},{"shape_data":{"id":{}}}]},"__proto__":{"shapes":[{}]},"bbb_version":{}}']) {
		const files = { ...media };
		for (const name of ['metadata.xml', 'shapes.svg', 'panzooms.xml', 'cursor.xml', 'slides_new.xml', 'deskshare.xml', 'layout.xml', 'tldraw.json',
			'presentation_text.json', 'captions.json', 'polls.json', 'external_videos.json', 'notes.html']) {
			files[name] = junk;
		}
		const { stage, recording } = await staged(files);
		stage.update(5);
		equal([recording.slides, recording.chat], [[], []], junk);
		stage.destroy();
	}
});

test('entities and depth do not get through', async () => {
	const bomb = `<!DOCTYPE r [<!ENTITY a "${'x'.repeat(100)}">${'bcdefghij'.split('').map((n, i) => `<!ENTITY ${n} "${`&${'abcdefghij'[i]};`.repeat(10)}">`).join('')}]><recording><meta><meetingName>&j;</meetingName></meta></recording>`;
	const deep = '<g>'.repeat(5000) + '</g>'.repeat(5000);
	const r = await loaded({ ...media, 'metadata.xml': bomb, 'shapes.svg': `<svg xmlns="http://www.w3.org/2000/svg"><g class="canvas" image="image1"><g class="shape" shape="s" timestamp="0">${deep}</g></g></svg>` });
	ok(r.title.length <= 500, 'the title is bounded');
	ok(r.problems.some(({ file, reason }) => file === 'metadata.xml' && reason === 'damaged'), 'named');
});

import { equal, ok, test } from './check.js';
import { shownOn, staged, whiteboardFiles } from './samples.js';

const base = (id, type, props, rest = {}) => ({
	id: `shape:${id}`, typeName: 'shape', type, x: 100, y: 50, rotation: 0, opacity: 1, index: 'a1', parentId: 'page:1', isLocked: false, meta: {}, isModerator: true,
	props: { color: 'red', size: 'm', dash: 'draw', fill: 'none', font: 'sans', align: 'middle', verticalAlign: 'middle', labelColor: 'black', ...props }, ...rest,
});

const segments = [{ type: 'free', points: [{ x: 0, y: 0, z: 0.5 }, { x: 40, y: 20, z: 0.5 }, { x: 60, y: 60, z: 0.5 }, { x: 90, y: 10, z: 0.5 }] }, { type: 'straight', points: [{ x: 90, y: 10 }, { x: 90, y: 80 }] }];
const kinds = ['rectangle', 'ellipse', 'triangle', 'diamond', 'pentagon', 'hexagon', 'octagon', 'star', 'rhombus', 'rhombus-2', 'oval', 'trapezoid', 'cloud',
	'arrow-left', 'arrow-right', 'arrow-up', 'arrow-down', 'x-box', 'check-box'];
const heads = ['arrow', 'triangle', 'inverted', 'square', 'diamond', 'dot', 'bar', 'pipe'];
const answers = [{ id: 0, key: 'Yes', numVotes: 3, isCorrectAnswer: true }, { id: 1, key: 'No', numVotes: 1 }, { id: 2, key: 'A very long answer that does not fit', numVotes: 0 }];

export const all = [
	base('draw', 'draw', { segments, isClosed: false, isComplete: true, isPen: false }),
	base('filled', 'draw', { segments, isClosed: true, fill: 'solid', dash: 'dashed' }),
	base('highlight', 'highlight', { segments, color: 'yellow' }),
	...kinds.map((geo) => base(geo, 'geo', { geo, w: 100, h: 80, growY: 10, fill: 'pattern', text: 'label' })),
	...heads.map((head) => base(`head-${head}`, 'arrow', { start: { type: 'point', x: 0, y: 0 }, end: { type: 'point', x: 100, y: 40 }, bend: 20, arrowheadStart: 'none', arrowheadEnd: head, text: head })),
	base('line', 'line', { spline: 'cubic', handles: { start: { x: 0, y: 0, index: 'a1' }, end: { x: 100, y: 0, index: 'a2' }, 'handle:a1V': { x: 50, y: 60, index: 'a1V' } } }),
	base('text', 'text', { text: 'Hello\nyou', w: 120, autoSize: true, scale: 1.5 }),
	base('note', 'note', { text: 'A note with some words in it that wrap', growY: 30, color: 'blue' }),
	base('frame', 'frame', { w: 150, h: 100, name: 'A frame' }),
	base('image', 'image', { w: 120, h: 90, assetId: 'asset:1' }),
	base('poll', 'poll', { w: 240, h: 200, questionText: 'Is this a question that is asked?', question: true, answers, numResponders: 4, numRespondents: 5 }),
];

const one = async (shapes, time = 1) => {
	const made = await staged(whiteboardFiles(shapes.map((data) => (Array.isArray(data) ? data : [data]))));
	made.stage.update(time);
	made.find = (id, query = '') => made.element.querySelector(`[data-shape="shape:${id}"] ${query}`.trim());
	return made;
};

test('tldraw 2: every shape is painted', async () => {
	const { stage, find, recording } = await one(all);
	equal([recording.generation, recording.problems], ['tldraw2', []]);
	equal(stage.current().drawings, all.length);
	for (const { id } of all) {
		const node = find(id.slice(6));
		ok(node.querySelector('path, text, rect'), `${id} is empty`);
		ok(node.getBBox().width > 10, `${id} has no width`);
		ok(!/NaN|undefined|Infinity/.test(node.outerHTML), node.outerHTML);
	}
	stage.destroy();
});

test('tldraw 2: looks follow the tables', async () => {
	const { stage, find } = await one([
		base('solid', 'geo', { geo: 'rectangle', w: 10, h: 10, fill: 'solid', dash: 'dotted', size: 'xl' }, { rotation: Math.PI / 2, opacity: 0.5 }),
		base('semi', 'geo', { geo: 'ellipse', w: 10, h: 10, fill: 'semi', color: 'nocolour' }),
		base('pattern', 'geo', { geo: 'oval', w: 10, h: 10, fill: 'pattern', color: 'blue', size: 's' }),
		base('note', 'note', { color: 'green' }), base('high', 'highlight', { segments, color: 'black', size: 'l' }),
	]);
	const look = (id, ...names) => names.map((name) => find(id, 'path').getAttribute(name));
	equal(look('solid', 'fill', 'stroke', 'stroke-width', 'stroke-dasharray'), ['#f0d1d3', '#d61a25', '7.5', '0.12 16']);
	equal([find('solid').getAttribute('transform'), find('solid').getAttribute('opacity')], ['translate(100 50) rotate(90)', '0.5']);
	equal(look('semi', 'fill', 'stroke'), ['#f5f9f7', '#161616']);
	ok(/^url\(#hatch-\w+-\d+\)$/.test(look('pattern', 'fill')[0]), 'hatching');
	ok(document.getElementById(look('pattern', 'fill')[0].slice(5, -1)), 'the hatching is there');
	equal(look('note', 'fill'), ['#47a37f']);
	equal(look('high', 'stroke', 'stroke-width', 'stroke-opacity'), ['#fddd00', '35', '0.45']);
	stage.destroy();
});

test('tldraw 2: an arrow ends where what it is bound to begins', async () => {
	const box = (x) => base('box', 'geo', { geo: 'rectangle', w: 100, h: 100 }, { x, y: 0 });
	const bound = (extra) => ({ type: 'binding', boundShapeId: 'shape:box', normalizedAnchor: { x: 0.5, y: 0.5 }, ...extra });
	const arrow = (id, end) => base(id, 'arrow', { start: { type: 'point', x: 0, y: 0 }, end, bend: 0, arrowheadStart: 'none', arrowheadEnd: 'arrow' }, { x: 0, y: 50, index: 'a2' });
	const { stage, find } = await one([[box(300), 0], [box(500), 5], [arrow('to', bound({ isExact: false })), 1], [arrow('exact', bound({ isExact: true })), 1]], 2);
	equal([find('to', 'path').getAttribute('d'), find('exact', 'path').getAttribute('d')], ['M0 0L290 0', 'M0 0L350 0']);
	stage.update(6);
	equal([find('to', 'path').getAttribute('d'), find('exact', 'path').getAttribute('d')], ['M0 0L490 0', 'M0 0L550 0'], 'follows');
	stage.update(2);
	equal(find('to', 'path').getAttribute('d'), 'M0 0L290 0', 'and back');
	stage.destroy();
});

test('tldraw 2: an arrow finds what it is bound to within groups and turned frames', async () => {
	const { stage, find } = await one([
		base('frame', 'frame', { w: 400, h: 400, name: '' }, { x: 1000, y: 100, rotation: Math.PI / 2, index: 'a1' }),
		base('box', 'geo', { geo: 'rectangle', w: 100, h: 100 }, { x: 50, y: 200, parentId: 'shape:frame' }),
		base('arrow', 'arrow', { start: { type: 'point', x: 0, y: 0 }, end: { type: 'binding', boundShapeId: 'shape:box', normalizedAnchor: { x: 0.5, y: 0.5 }, isExact: true }, bend: 0 }, { x: 0, y: 0, index: 'a2' }),
	]);
	// (100, 250) in the frame, turned by a quarter about (1000, 100).
	equal(find('arrow', 'path').getAttribute('d'), 'M0 0L750 200');
	stage.destroy();
});

test('tldraw 2: bent arrows are arcs to the side they are bent to', async () => {
	const arrow = (id, bend) => base(id, 'arrow', { start: { type: 'point', x: 0, y: 0 }, end: { type: 'point', x: 100, y: 0 }, bend, arrowheadEnd: 'none' });
	const { stage, find } = await one([arrow('down', 50), arrow('up', -50), arrow('far', -150)]);
	equal(find('down', 'path').getAttribute('d'), 'M0 0A50 50 0 0 0 100 0');
	equal(find('up', 'path').getAttribute('d'), 'M0 0A50 50 0 0 1 100 0');
	ok(/ 0 1 1 100 0$/.test(find('far', 'path').getAttribute('d')), find('far', 'path').getAttribute('d'));
	stage.destroy();
});

test('tldraw 2: frames cut off and groups move what lies in them', async () => {
	const { stage, element, find } = await one([
		[base('late', 'geo', { geo: 'rectangle', w: 10, h: 10 }, { index: 'a0', parentId: 'shape:frame' }), 3],
		base('inside', 'geo', { geo: 'rectangle', w: 900, h: 900 }, { index: 'a1', parentId: 'shape:frame', x: 10, y: 10 }),
		base('frame', 'frame', { w: 100, h: 80, name: 'F' }, { index: 'a5' }),
		base('group', 'group', {}, { index: 'a2', x: 500, y: 500 }),
		base('member', 'geo', { geo: 'ellipse', w: 50, h: 50 }, { parentId: 'shape:group', index: 'a1', x: 7, y: 8 }),
		base('orphan', 'geo', { geo: 'ellipse', w: 50, h: 50 }, { parentId: 'shape:gone', index: 'a9' }),
	]);
	equal(shownOn(element).map((id) => id.slice(6)), ['group', 'member', 'frame', 'inside', 'orphan']);
	equal(stage.current().drawings, 4);
	const clip = find('inside').parentNode;
	equal([clip.localName, clip.getAttribute('width'), clip.getAttribute('overflow')], ['svg', '100', 'hidden']);
	equal(find('group').getAttribute('transform'), 'translate(500 500)');
	stage.update(3);
	equal([...clip.children].map((node) => node.getAttribute('data-shape')), ['shape:late', 'shape:inside']);
	stage.destroy();
});

test('tldraw 2: what a frame holds stays when the frame changes', async () => {
	const frame = (w) => base('frame', 'frame', { w, h: 80, name: 'F' });
	const { stage, find } = await one([[frame(100), 0], [base('inside', 'geo', { geo: 'rectangle', w: 9, h: 9 }, { parentId: 'shape:frame' }), 0], [frame(200), 5, 9]]);
	const kept = find('inside');
	stage.update(5);
	ok(find('inside') === kept && kept.parentNode.getAttribute('width') === '200', 'in the new frame');
	stage.update(9);
	ok(find('inside') === kept && kept.parentNode.getAttribute('width') === '100', 'in the old frame, as the new one was taken away');
	stage.destroy();
});

test('tldraw 2: order is that of the indices', async () => {
	const at = (id, index) => base(id, 'geo', { geo: 'rectangle', w: 9, h: 9 }, { index });
	const { stage, element } = await one([at('c', 'a1V'), at('d', 'a2'), at('b', 'a1'), at('a', 'Zz')]);
	equal(shownOn(element).map((id) => id.slice(6)).join(''), 'abcd');
	stage.destroy();
});

test('tldraw 2: pictures are shown if the recording has them', async () => {
	const { stage, find } = await one([
		base('has', 'image', { w: 9, h: 9, src: '/presentation/r/file-uploads/a.png' }),
		base('else', 'image', { w: 90, h: 90, altText: 'a cat', src: 'https://evil.example/file-uploads/a.png' }),
		base('other', 'image', { w: 9, h: 9, src: '/presentation/q/file-uploads/a.png' }),
	]);
	equal(find('has', 'image').getAttribute('href'), '/presentation/r/file-uploads/a.png');
	equal([find('else', 'image'), find('other', 'image')], [null, null]);
	ok(find('else', 'rect'), 'an empty frame');
	equal(find('else', 'text').textContent, 'a cat');
	stage.destroy();
});

test('tldraw 2: a poll shows its answers', async () => {
	const { stage, find } = await one([all[all.length - 1]]);
	const texts = [...find('poll').querySelectorAll('text')].map((node) => node.textContent);
	for (const wanted of ['Yes \u2713', '3 (75%)', 'No', '1 (25%)', '0 (0%)']) {
		ok(texts.includes(wanted), `${wanted} in ${texts}`);
	}
	const bars = [...find('poll').querySelectorAll('rect')].slice(1).map((bar) => Number(bar.getAttribute('width')));
	ok(Math.abs(bars[0] - 3 * bars[1]) < 0.1 && bars[2] <= 1, `bars ${bars}`);
	stage.destroy();
});

test('tldraw 2: a line passes through its handles in order', async () => {
	const handles = { start: { x: 0, y: 0, index: 'a1' }, end: { x: 100, y: 0, index: 'a2' }, 'handle:a1V': { x: 50, y: 60, index: 'a1V' } };
	const { stage, find } = await one([base('line', 'line', { spline: 'line', handles }), base('curve', 'line', { spline: 'cubic', handles })]);
	equal(find('line', 'path').getAttribute('d'), 'M0 0L50 60L100 0');
	ok(/^M0 0C[^C]* 50 60C[^C]* 100 0$/.test(find('curve', 'path').getAttribute('d')), find('curve', 'path').getAttribute('d'));
	stage.destroy();
});

test('tldraw 2: an unknown type is named once and left out', async () => {
	const { stage, recording } = await one([base('x', 'hologram', {}), base('y', 'hologram', {}), base('z', 'constructor', {}), base('geo', 'geo', { geo: 'star', w: 9, h: 9 })]);
	equal(recording.problems, [{ file: 'tldraw.json', reason: 'unknown-shape', detail: 'hologram' }, { file: 'tldraw.json', reason: 'unknown-shape', detail: 'constructor' }]);
	equal(stage.current().drawings, 1);
	stage.destroy();
});

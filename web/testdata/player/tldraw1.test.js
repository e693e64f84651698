import { equal, ok, test } from './check.js';
import { cursorOf, panzoomsOf, shownOn, staged, svgSlide, whiteboardFiles } from './samples.js';

const style = { color: 'red', size: 'medium', dash: 'draw', isFilled: false, scale: 1, font: 'sans', textAlign: 'middle' };
const base = (id, type, rest) => ({ id, type, parentId: '1', childIndex: 1, point: [100, 50], size: [200, 100], rotation: 0, style, label: '', labelPoint: [0.5, 0.5], ...rest });

export const all = [
	base('draw', 'draw', { points: [[0, 0, 0.5], [10, 5, 0.5], [20, 30, 0.5], [60, 20, 0.5]], isComplete: true }),
	base('rect', 'rectangle', { childIndex: 2, label: 'in the box', style: { ...style, isFilled: true } }),
	base('ellipse', 'ellipse', { childIndex: 3, radius: [80, 40], style: { ...style, dash: 'dashed' } }),
	base('triangle', 'triangle', { childIndex: 4, rotation: Math.PI / 2, style: { ...style, dash: 'dotted', size: 'large' } }),
	base('arrow', 'arrow', { childIndex: 5, bend: 0, decorations: { end: 'arrow' }, handles: { start: { point: [0, 0] }, bend: { point: [50, 50] }, end: { point: [100, 100] } } }),
	base('bent', 'arrow', { childIndex: 6, bend: 0.5, decorations: { start: 'arrow', end: 'arrow' }, handles: { start: { point: [0, 0] }, bend: { point: [50, 40] }, end: { point: [100, 0] } } }),
	base('text', 'text', { childIndex: 7, text: 'Hello\nyou' }),
	base('sticky', 'sticky', { childIndex: 8, size: [200, 200], text: 'a note that has to be broken into lines' }),
	base('poll-result-1', 'rectangle', { childIndex: 9, name: 'poll-result', size: [120, 60], label: 'A ███████ 3\nB ███ 1\nC 0', style: { ...style, size: 'large' } }),
	base('image', 'image', { childIndex: 10 }),
];

const files = whiteboardFiles(all.map((data) => [data]), '2.7.3');

test('tldraw 1: every shape is painted', async () => {
	const { stage, element, recording } = await staged(files);
	stage.update(1);
	equal([recording.generation, recording.problems], ['tldraw1', []]);
	equal(stage.current().drawings, all.length);
	for (const { id } of all) {
		const node = element.querySelector(`[data-shape="${id}"]`);
		ok(node.querySelector('path, text, rect'), `${id} is empty`);
		ok(node.getBBox().width > 10, `${id} has no width`);
	}
	stage.destroy();
});

test('tldraw 1: colours, dashes and turns follow the tables', async () => {
	const { stage, element } = await staged(files);
	stage.update(1);
	const path = (id) => element.querySelector(`[data-shape="${id}"] path`);
	equal(['fill', 'stroke', 'stroke-width'].map((name) => path('rect').getAttribute(name)), ['#fbd3d6', '#ff2133', '3.5']);
	equal(['fill', 'stroke-dasharray', 'stroke-width'].map((name) => path('ellipse').getAttribute(name)), ['none', '14 14', '6.25']);
	equal(path('triangle').getAttribute('stroke-dasharray'), '0.1 20');
	equal(element.querySelector('[data-shape=triangle]').getAttribute('transform'), 'translate(100 50) rotate(90 100 50)');
	equal(path('arrow').getAttribute('d'), 'M0 0L100 100');
	equal(element.querySelectorAll('[data-shape=arrow] path').length, 2);
	ok(/^M0 0A51.25 51.25 0 0 0 100 0$/.test(path('bent').getAttribute('d')), path('bent').getAttribute('d'));
	equal(element.querySelectorAll('[data-shape=bent] path').length, 3);
	stage.destroy();
});

test('tldraw 1: a poll fits into its box and a note into its width', async () => {
	const { stage, element } = await staged(files);
	stage.update(1);
	const poll = element.querySelector('[data-shape="poll-result-1"]');
	const [box, label] = [poll.querySelector('path').getBBox(), poll.querySelector('g').getBBox()];
	ok(label.width <= box.width + 1 && label.height <= box.height + 2, `${label.width}x${label.height} in ${box.width}x${box.height}`);
	equal(poll.querySelectorAll('text').length, 3);
	const note = element.querySelector('[data-shape=sticky]');
	ok(note.querySelectorAll('text').length > 2, 'lines');
	ok(note.querySelector('g').getBBox().width <= 170, `width ${note.querySelector('g').getBBox().width}`);
	stage.destroy();
});

test('tldraw 1: order, undo and versions', async () => {
	const rect = (id, childIndex, width) => base(id, 'rectangle', { childIndex, size: [width, 10] });
	const { stage, element } = await staged(whiteboardFiles([
		[rect('a', 5, 1), 0], [rect('b', 2, 2), 1, 8], [rect('c', 9, 3), 2], [rect('a', 1, 4), 3], [rect('b', 2, 5), 4, 8], [rect('d', 3, 6), 5, 6],
	], '2.6.5'));
	const at = (t) => {
		stage.update(t);
		return shownOn(element).join('');
	};
	equal([0, 1, 2, 3, 5, 6, 8, 2].map(at), ['a', 'ba', 'bac', 'abc', 'abdc', 'abc', 'ac', 'bac']);
	stage.destroy();
});

test('tldraw 1: members lie in their group', async () => {
	const { stage, element } = await staged(whiteboardFiles([
		[base('top', 'rectangle', { childIndex: 2 })], [base('g', 'group', { childIndex: 3, children: ['x', 'y'], point: [900, 900] })],
		[base('y', 'rectangle', { childIndex: 2, parentId: 'g' })], [base('x', 'rectangle', { childIndex: 1, parentId: 'g' })],
	], '2.7.1'));
	stage.update(1);
	equal(shownOn(element), ['top', 'g', 'x', 'y']);
	equal(stage.current().drawings, 3);
	equal(element.querySelector('[data-shape=g]').getAttribute('transform'), null);
	stage.destroy();
});

test('tldraw: the view follows the camera', async () => {
	const { stage } = await staged({
		...whiteboardFiles([], '2.6.0', [['image1', 0, svgSlide(1), 1024, 768], ['image2', 10, svgSlide(2), 600, 800]]),
		'panzooms.xml': panzoomsOf([[0, '0.0 0.0 1024.0 768.0'], [5, '-100.0 -50.0 512.0 384.0']], true),
		'cursor.xml': cursorOf([[1, '20.5 30.5'], [4, '-1.0 -1.0']], true),
	});
	stage.update(1);
	equal([stage.current().viewBox, stage.current().cursor], [[0, 0, 2048, 1536], { x: 20.5, y: 30.5 }]);
	stage.update(5);
	equal([stage.current().viewBox, stage.current().cursor], [[100, 50, 1024, 768], null]);
	stage.destroy();
	const tall = await staged({ ...whiteboardFiles([], '3.0.0', [['image1', 0, svgSlide(1), 600, 800]]), 'panzooms.xml': 404 });
	tall.stage.update(0);
	equal(tall.stage.current().viewBox, [0, 0, 810, 1080]);
	tall.stage.destroy();
});

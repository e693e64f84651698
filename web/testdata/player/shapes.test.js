import { equal, ok, test } from './check.js';
import { cursorOf, media, metadata, panzoomsOf, png, pres, shapesOf, shownOn, staged } from './samples.js';

const shape = (key, time, undo, child, style = 'stroke:#ff0000;stroke-width:4.8;visibility:hidden;fill:none') =>
	`<g id="image1-draw${time}" class="shape" timestamp="${time}" undo="${undo}" shape="${key}" style="${style}">${child}</g>`;
const canvas = (n, shapes) => `<g class="canvas" id="canvas${n}" image="image${n}" display="none">${shapes}</g>`;

const drawings = canvas(1, [
	shape('pencil1', 1.0, 6.0, '<path d="M10 10L20 20"/>'),
	shape('rect2', 2.0, -1, '<path d="M0 0L100 0L100 100Z"/>'),
	shape('pencil1', 3.0, 6.0, '<path d="M10 10L30 30"/>'),
	shape('text3', 4.0, -1, '<switch>\n\t<foreignObject x="100" y="200" width="300" height="80">\n\t\t<p xmlns="http://www.w3.org/1999/xhtml" style="color:#00ff00;font-size:24px">\n\t\t\tone<br/>\n\t\t\ttwo</p>\n\t</foreignObject>\n</switch>'),
	shape('poll4', 5.0, -1, `<image xlink:href="presentation/${pres}/poll_result1.svg" width="200" height="100" x="1" y="2"/>`),
	shape('dot5', 5.5, -1, '<circle cx="3" cy="4" r="2"/>', 'stroke:none;fill:#0000ff'),
	shape('old6', 5.7, -1, '<rect x="1" y="2" width="50" height="40" fill="#ffffff"/><image xlink:href="presentation/poll.svg" width="40" height="50" x="1" y="2" transform="rotate(90, 1, 2) translate(0, -50)"/><polyline points="0,0 1,1 2,2"/>'),
].join('')) + canvas(3, shape('line9', 20.0, -1, '<line x1="0" y1="0" x2="5" y2="5"/>'));

const files = {
	...media, 'metadata.xml': metadata, 'slides_new.xml': '<popcorn/>',
	'shapes.svg': shapesOf([['image1', '0.0', png(1)], ['image2', '10', 'presentation/deskshare.png', 1280, 720], ['image3', '15', png(2), 800, 600]], drawings),
	'panzooms.xml': panzoomsOf([[0, '0.0 0.0 1600.0 900.0'], [8.4, '200.0 100.0 800.0 450.0'], [15, '0 0 800 600']]),
	'cursor.xml': cursorOf([[0, '-1.0 -1.0'], [2.3, '0.5 0.25'], [8, '0.5 0.5']]),
};

test('the stage shows slide, view, drawings and cursor of a time', async () => {
	const { stage, element } = await staged(files);
	const at = (t) => {
		stage.update(t);
		const { slide, viewBox, drawings: count, cursor } = stage.current();
		return [slide?.id ?? null, viewBox.join(' '), count, cursor && [cursor.x, cursor.y], shownOn(element).join(' ')];
	};
	equal(at(0), ['image1', '0 0 1600 900', 0, null, '']);
	equal(at(2.5), ['image1', '0 0 1600 900', 2, [800, 225], 'pencil1 rect2']);
	equal(at(3), ['image1', '0 0 1600 900', 2, [800, 225], 'rect2 pencil1']);
	equal(at(6), ['image1', '0 0 1600 900', 5, [800, 225], 'rect2 text3 poll4 dot5 old6']);
	equal(at(9), ['image1', '200 100 800 450', 5, [600, 325], 'rect2 text3 poll4 dot5 old6']);
	equal(at(10), ['image2', '0 0 1280 720', 0, null, '']);
	equal(at(25), ['image3', '0 0 800 600', 1, [400, 300], 'line9']);
	equal(at(-1), [null, '0 0 1600 900', 0, null, '']);
	stage.destroy();
	ok(!element.isConnected, 'gone from the page');
});

test('jumping back and forth shows what playing shows', async () => {
	const played = await staged(files);
	const jumped = await staged(files);
	const pictures = new Map();
	for (let t = 0; t < 30; t += 0.1) {
		played.stage.update(t);
		pictures.set(t, played.element.innerHTML);
	}
	const times = [...pictures.keys()];
	for (let i = 0; i < times.length; i++) {
		const t = times[(i * 7919) % times.length];
		jumped.stage.update(t);
		equal(jumped.element.innerHTML, pictures.get(t), `at ${t}`);
	}
	played.stage.destroy();
	jumped.stage.destroy();
});

test('what does not change stays untouched', async () => {
	const { stage, element } = await staged(files);
	stage.update(5.8);
	const seen = [];
	const observer = new MutationObserver((records) => seen.push(...records));
	observer.observe(element, { subtree: true, childList: true, attributes: true, characterData: true });
	stage.update(5.9);
	stage.update(5.9);
	seen.push(...observer.takeRecords());
	equal(seen.length, 0);
	const kept = element.querySelector('[data-shape=rect2]');
	stage.update(6);
	ok(element.querySelector('[data-shape=rect2]') === kept, 'the rectangle is the same node');
	stage.destroy();
});

test('elements are made like those of the file', async () => {
	const { stage, element } = await staged(files);
	stage.update(9);
	const one = (query) => element.querySelector(query);
	equal(one('[data-shape=rect2]').getAttribute('visibility'), null);
	equal([one('[data-shape=rect2]').getAttribute('stroke'), one('[data-shape=rect2]').getAttribute('stroke-width')], ['#ff0000', '4.8']);
	equal(one('[data-shape=rect2] path').getAttribute('d'), 'M0 0L100 0L100 100Z');
	equal([...element.querySelectorAll('[data-shape=text3] text')].map((line) => line.textContent), ['one', 'two']);
	equal(one('[data-shape=text3] g g').getAttribute('fill'), '#00ff00');
	equal(one('[data-shape=poll4] image').getAttribute('href'), `/presentation/r/presentation/${pres}/poll_result1.svg`);
	equal(one('[data-shape=dot5] circle').getAttribute('r'), '2');
	equal(one('[data-shape=old6] image').getAttribute('transform'), 'rotate(90, 1, 2) translate(0, -50)');
	equal(one('[data-shape=old6] polyline').getAttribute('points'), '0,0 1,1 2,2');
	equal(one('image').getAttribute('href'), `/presentation/r/${png(1)}`);
	stage.destroy();
});

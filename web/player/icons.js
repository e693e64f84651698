// The icons of the page: paths on a grid of 24 by 24, drawn as lines, or filled
// where the name is in the set below. An icon says nothing to a screen reader:
// the control that it stands in has a label.

const space = 'http://www.w3.org/2000/svg';

const turn = 'M12 5a7.5 7.5 0 1 1-7.2 5.4';

/** @type {Record<string, string>} */
const paths = {
	play: 'M7.5 4.7v14.6a.8.8 0 0 0 1.2.7l11.4-7.3a.8.8 0 0 0 0-1.4L8.7 4a.8.8 0 0 0-1.2.7z',
	pause: 'M7 4.5h3a.5.5 0 0 1 .5.5v14a.5.5 0 0 1-.5.5H7a.5.5 0 0 1-.5-.5V5a.5.5 0 0 1 .5-.5zM14 4.5h3a.5.5 0 0 1 .5.5v14a.5.5 0 0 1-.5.5h-3a.5.5 0 0 1-.5-.5V5a.5.5 0 0 1 .5-.5z',
	back: `${turn}M12 1.8 8.4 5 12 8.2`,
	forward: 'M12 5a7.5 7.5 0 1 0 7.2 5.4M12 1.8 15.6 5 12 8.2',
	previous: 'M18 5.5v13L8.5 12zM6 5.5v13',
	next: 'M6 5.5v13l9.5-6.5zM18 5.5v13',
	loud: 'M4 9.5v5h3.5l4.5 4v-13l-4.5 4zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11',
	mute: 'M4 9.5v5h3.5l4.5 4v-13l-4.5 4zM16 9.5l5 5M21 9.5l-5 5',
	captions: 'M4.5 5.5h15A1.5 1.5 0 0 1 21 7v10a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 17V7a1.5 1.5 0 0 1 1.5-1.5zM10.5 10.6a2 2 0 1 0 0 2.8M17 10.6a2 2 0 1 0 0 2.8',
	fullscreen: 'M4 9V4.5h4.5M15.5 4.5H20V9M20 15v4.5h-4.5M8.5 19.5H4V15',
	window: 'M8.5 4.5V9H4M20 9h-4.5V4.5M15.5 19.5V15H20M4 15h4.5v4.5',
	swap: 'M4 8.5h14.5M15 5l3.5 3.5L15 12M20 15.5H5.5M9 12l-3.5 3.5L9 19',
	side: 'M4.5 4.5h15A1.5 1.5 0 0 1 21 6v12a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18V6a1.5 1.5 0 0 1 1.5-1.5zM14.5 4.5v15',
	search: 'M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM15.3 15.3 20.5 20.5',
	help: 'M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM9.4 9.3a2.7 2.7 0 1 1 3.9 2.5c-.9.4-1.3.9-1.3 1.9M12 16.8v.2',
	link: 'M10 14a4 4 0 0 0 5.8.2l3-3a4.1 4.1 0 0 0-5.8-5.8l-1.2 1.2M14 10a4 4 0 0 0-5.8-.2l-3 3a4.1 4.1 0 0 0 5.8 5.8l1.2-1.2',
	download: 'M12 3.5v11.5M7 10.5l5 5 5-5M4.5 20h15',
	close: 'M5.5 5.5l13 13M18.5 5.5l-13 13',
	warning: 'M12 4 2.8 19.8h18.4zM12 10v4.5M12 17v.2',
	broken: 'M4.5 5h15A1.5 1.5 0 0 1 21 6.5v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 15.5v-9A1.5 1.5 0 0 1 4.5 5zM8 21h8M9.5 8.5l5 5M14.5 8.5l-5 5',
	screen: 'M4.5 5h15A1.5 1.5 0 0 1 21 6.5v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 15.5v-9A1.5 1.5 0 0 1 4.5 5zM8 21h8M12 14V8M9.3 10.5 12 8l2.7 2.5',
	slide: 'M3.5 5h17v12h-17zM12 17v2.5M8.5 20.5 12 19l3.5 1.5M7 9h10M7 12.5h6',
	sound: 'M4 10v4M8 7v10M12 4v16M16 7v10M20 10v4',
	poll: 'M5 20v-7M12 20V4M19 20v-11',
	video: 'M4.5 6h9A1.5 1.5 0 0 1 15 7.5v9a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 3 16.5v-9A1.5 1.5 0 0 1 4.5 6zM15 10.5l6-3.5v10l-6-3.5z',
	check: 'M4.5 12.5l5 5 10-11',
};

const filled = new Set(['play', 'pause']);

// What the jumps have written into them.
const inscribed = { back: '15', forward: '15' };

/**
 * An icon by its name.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
	const svg = document.createElementNS(space, 'svg');
	svg.setAttribute('viewBox', '0 0 24 24');
	svg.setAttribute('class', filled.has(name) ? 'icon filled' : 'icon');
	svg.setAttribute('aria-hidden', 'true');
	const path = document.createElementNS(space, 'path');
	path.setAttribute('d', paths[name] ?? '');
	svg.append(path);
	if (Object.hasOwn(inscribed, name)) {
		const text = document.createElementNS(space, 'text');
		text.setAttribute('x', '12');
		text.setAttribute('y', '15.4');
		text.textContent = inscribed[name];
		svg.append(text);
	}
	return svg;
}

/**
 * Gives an element another icon, where it had one.
 * @param {Element} element
 * @param {string} name
 */
export function setIcon(element, name) {
	if (element.getAttribute('data-icon') === name && element.firstElementChild) {
		return;
	}
	element.setAttribute('data-icon', name);
	const old = element.querySelector(':scope > .icon');
	if (old) {
		old.replaceWith(icon(name));
	} else {
		element.prepend(icon(name));
	}
}

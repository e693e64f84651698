// Hatchings: fills of slanting lines in the colours of the drawings.

import { svg } from './draw.js';

/**
 * Makes the store of a stage's hatchings. Those of two stages on a page do not
 * get in each other's way.
 * @returns {{element: SVGElement, fill: (color: string) => string}} fill gives the value of the attribute
 */
export function createHatches() {
	const element = svg('defs');
	const prefix = `hatch-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
	/** @type {Map<string, string>} */
	const known = new Map();
	return {
		element,
		fill(color) {
			const id = known.get(color) ?? `${prefix}-${known.size}`;
			if (!known.has(color)) {
				known.set(color, id);
				element.append(svg('pattern', { id, width: 8, height: 8, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
					svg('rect', { width: 8, height: 8, fill: '#ffffff', 'fill-opacity': 0.6 }),
					svg('path', { d: 'M0 2H8M0 6H8', stroke: color, 'stroke-width': 1.5, 'stroke-opacity': 0.55 })));
			}
			return `url(#${id})`;
		},
	};
}

// Short ways to the page's elements. Whatever a recording says gets into the page
// as text, through here.

/**
 * The element of the page with this id; the page always has it.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
	return document.getElementById(id);
}

/**
 * Makes an element. Of the properties, text becomes its text, data its dataset,
 * and the others its attributes; null and false leave one out.
 * @param {string} name
 * @param {Record<string, any>} [properties]
 * @param {...(Node|string)} children
 * @returns {any}
 */
export function make(name, properties = {}, ...children) {
	const element = document.createElement(name);
	for (const [key, value] of Object.entries(properties)) {
		if (value === null || value === undefined || value === false) {
			continue;
		}
		if (key === 'text') {
			element.textContent = value;
		} else if (key === 'data') {
			Object.assign(element.dataset, value);
		} else {
			element.setAttribute(key, value === true ? '' : value);
		}
	}
	element.append(...children);
	return element;
}

/**
 * Returns a function that writes into the dataset of an element what is new.
 * @param {HTMLElement} element
 */
export function marker(element) {
	const known = new Map();
	return (/** @type {string} */ key, /** @type {string} */ value) => {
		if (known.get(key) !== value) {
			known.set(key, value);
			element.dataset[key] = value;
		}
	};
}

/**
 * Gives the focus on before what has it goes from the page: else it would begin
 * from the top again.
 * @param {string} from  what goes: a selector  @param {string} to  an id
 */
export function handOn(from, to) {
	if (document.activeElement?.closest(from)) {
		byId(to).focus();
	}
}

/** Whether another key is held with a key. */
export const held = (event) => event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;

/**
 * Sets the label of a control, and shows it to who points at it.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function label(element, text) {
	if (element.getAttribute('aria-label') !== text) {
		element.setAttribute('aria-label', text);
		if (element.matches('button, summary, select, input')) {
			element.title = text;
		}
	}
}

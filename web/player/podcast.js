// A podcast: a recording that is nothing but its sound. It plays on the same page
// as a presentation, which then has no slides, no chat and no cameras.

import { LoadError, readMetadata } from './recording.js';
import { readText } from './source.js';
import { parse } from './xml.js';

/**
 * What a recording is, see recording.js, with the sound alone.
 * @param {string} id
 * @param {string} file  name of the file with the sound
 * @returns {Promise<any>}
 */
export async function loadPodcast(id, file) {
	const root = `/podcast/${encodeURIComponent(id)}/`;
	// The same address as that of the page, but the file itself.
	const src = `${root}${encodeURIComponent(decodeURIComponent(file))}?file`;
	const [there, metadata] = await Promise.all([ask(src), readText(`${root}metadata.xml`)]);
	if (there.headers.get('X-Recording-State') === 'protected') {
		throw new LoadError('expired');
	}
	if (!there.ok) {
		throw new LoadError('missing');
	}
	return {
		id, ...readMetadata(parse(metadata.text || '<recording/>').document),
		generation: 'none', slides: [], boards: new Map(), deskshare: [], layout: [], panzooms: [], cursor: [],
		chat: [], captions: [], notes: null, problems: [],
		downloads: [{ format: 'podcast', name: decodeURIComponent(file), size: Number(there.headers.get('Content-Length')), url: src }],
		media: { primary: { kind: 'audio', sources: [{ src, type: typeOf(file) }] }, screen: null },
	};
}

async function ask(url) {
	try {
		return await fetch(url, { method: 'HEAD' });
	} catch {
		throw new LoadError('network');
	}
}

function typeOf(file) {
	return { mp3: 'audio/mpeg', m4a: 'audio/mp4', webm: 'audio/webm' }[file.split('.').pop() ?? ''] ?? 'audio/ogg';
}

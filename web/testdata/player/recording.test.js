import { equal, ok, test, withFiles } from './check.js';
import { load } from '/player/recording.js';
import { loadPodcast } from '/player/podcast.js';
import { cursorOf, loaded, media, metadata, panzoomsOf, png, pres, shapesOf, svgSlide } from './samples.js';

const whole = {
	...media, 'metadata.xml': metadata, 'panzooms.xml': panzoomsOf([[0, '0.0 0.0 1600.0 900.0']]), 'cursor.xml': cursorOf([[0, '-1.0 -1.0']]),
	'shapes.svg': shapesOf([['image1', '0.0', png(1)], ['image2', '12.3', 'presentation/deskshare.png', 1280, 720], ['image3', '40.0', svgSlide(2)]]),
	'slides_new.xml': '<popcorn/>',
};

async function failure(files) {
	try {
		await loaded(files);
	} catch (error) {
		return `${error.name} ${error.kind}`;
	}
	return '';
}

test('a recording tells what it is', async () => {
	const r = await loaded(whole);
	equal([r.id, r.title, r.start.getTime(), r.participants, r.duration, r.generation], ['r', "Fred's Room", 1530718721124, 3, 89.332, 'svg']);
	equal(r.problems, []);
	equal(r.media, { primary: { kind: 'video', sources: [{ src: '/presentation/r/video/webcams.webm', type: 'video/webm' }] }, screen: null });
});

test('slides have places, kinds and texts', async () => {
	const r = await loaded({ ...whole, 'presentation_text.json': JSON.stringify({ [pres]: { 'slide-1': 'One ', 'slide-2': 'Two' } }) });
	equal(r.slides.map((s) => [s.id, s.number, s.in, s.out, s.kind, s.page, s.text]),
		[['image1', 1, 0, 12.3, 'slide', 1, 'One'], ['image2', 2, 12.3, 40, 'deskshare', 0, ''], ['image3', 3, 40, Infinity, 'slide', 2, 'Two']]);
	equal(r.slides[2].thumb, `/presentation/r/presentation/${pres}/thumbnails/thumb-2.png`);
	equal(r.slides[0].href, `/presentation/r/${png(1)}`);
});

test('the shared screen has two names', async () => {
	const r = await loaded({ ...whole, 'presentation_text.json': JSON.stringify({ deskshare: { 'slide-1': 'none' } }),
		'shapes.svg': shapesOf([['image1', '0.0', png(1)], ['image2', '5.0', 'presentation/deskshare/slide-1.png', 1280, 720], ['image3', '9.0', 'presentation/deskshare.png', 1280, 720], ['image4', '12.0', png(2)]]) });
	equal(r.slides.map((s) => [s.id, s.kind, s.presentation, s.page, s.text, s.thumb !== null]),
		[['image1', 'slide', pres, 1, '', true], ['image2', 'deskshare', '', 0, '', false], ['image3', 'deskshare', '', 0, '', false], ['image4', 'slide', pres, 2, '', true]]);
	equal(r.deskshare, [{ start: 5, stop: 9 }, { start: 9, stop: 12 }]);
});

test('of slides that come at once the last is shown, and an old image may be shown twice', async () => {
	const r = await loaded({ ...whole, 'shapes.svg': shapesOf([['image1', '0.0', png(1)], ['image2', '0.0', png(2)], ['image3', '5.0 9.0', png(3)], ['image4', '7', png(4)], ['none', 8, ''], ['image4', 11, png(1)]]) });
	equal(r.slides.map((s) => [s.id, s.image, s.in, s.out]),
		[['image2', 'image2', 0, 5], ['image3', 'image3', 5, 7], ['image4', 'image4', 7, 9], ['image3-2', 'image3', 9, 11], ['image4-at-5', 'image4', 11, Infinity]]);
});

test('media are offered in the order to try them', async () => {
	const r = await loaded({ ...whole, 'video/webcams.mp4': 'x', 'deskshare/deskshare.webm': 'x', 'deskshare/deskshare.mp4': 'x',
		'deskshare.xml': '<recording><event start_timestamp="12.3" stop_timestamp="40.0"/><event start_timestamp="x"/></recording>' });
	equal(r.media.primary.sources.map(({ type }) => type), ['video/mp4', 'video/webm']);
	equal(r.media.screen.sources.map(({ src }) => src), ['/presentation/r/deskshare/deskshare.mp4', '/presentation/r/deskshare/deskshare.webm']);
	equal(r.deskshare, [{ start: 12.3, stop: 40 }]);
	const audio = await loaded({ ...whole, 'video/webcams.webm': 404, 'audio/audio.ogg': 'x' });
	equal(audio.media.primary, { kind: 'audio', sources: [{ src: '/presentation/r/audio/audio.ogg', type: 'audio/ogg' }] });
});

test('the slides that stand in for the screen tell when it was shared if nothing else does', async () => {
	equal((await loaded(whole)).deskshare, [{ start: 12.3, stop: 40 }]);
	equal((await loaded({ ...whole, 'deskshare.xml': '<recording/>' })).deskshare, []);
});

test('chat, polls and videos are one stream', async () => {
	const r = await loaded({ ...whole,
		'slides_new.xml': `<popcorn><chattimeline in="50.1" out="60.0" id="m1" name="Alice" chatEmphasizedText="true" senderRole="MODERATOR" message="Hi &lt;a href=&quot;https://x.example/&quot;&gt;y&lt;/a&gt;" replyToMessageId="m0" lastEditedTimestamp="1" target="chat"><reactions><reaction emoji="👍" count="2"/></reactions></chattimeline><chattimeline in="5.1" name="Bob" message="first"/><chattimeline name="no time"/></popcorn>`,
		'polls.json': JSON.stringify([{ timestamp: 34, type: 'YN', question: 'Well?', answers: [{ key: 'Yes', numVotes: 2 }, { key: 'yes', numVotes: 1 }, { key: 'No', numVotes: 1, isCorrectAnswer: true }], respondents: 5, responders: 4 }, null, 7]),
		'external_videos.json': JSON.stringify([{ timestamp: 20, external_video_url: 'https://youtu.be/x' }, { timestamp: 21, external_video_url: 'javascript:alert(1)' }]) });
	equal(r.chat.map(({ kind, time }) => [kind, time]), [['chat', 5.1], ['video', 20], ['poll', 34], ['chat', 50.1]]);
	equal(r.chat[3], { kind: 'chat', time: 50.1, cleared: 60, id: 'm1', name: 'Alice', moderator: true, emphasized: true,
		parts: [{ text: 'Hi ' }, { href: 'https://x.example/', text: 'https://x.example/' }], replyTo: 'm0', edited: true, reactions: [{ emoji: '👍', count: 2 }] });
	equal(r.chat[2].poll, { type: 'YN', question: 'Well?', answers: [{ key: 'Yes', votes: 3, share: 0.75, correct: false }, { key: 'No', votes: 1, share: 0.25, correct: false }], responders: 4, respondents: 5 });
	equal(r.chat[0].cleared, null);
});

test('captions, notes and layout are there', async () => {
	const r = await loaded({ ...whole, 'captions.json': '[{"locale":"pt_BR","localeName":"Português"},{"locale":"../x"}]', 'notes.html': '<body>n</body>',
		'layout.xml': '<recording><event timestamp="5.0" show_screenshare="true"/><event timestamp="2" show_screenshare="false"/><event timestamp="7" show_presentation="true"/><event timestamp="8"/></recording>' });
	equal(r.captions, [{ locale: 'pt-BR', label: 'Português', src: '/presentation/r/caption_pt_BR.vtt' }]);
	equal(r.notes, '<body>n</body>');
	equal(r.layout, [{ time: 2, screenshare: false }, { time: 5, screenshare: true }]);
});

test('what cannot be read is named and the rest plays', async () => {
	const r = await loaded({ ...whole, 'shapes.svg': whole['shapes.svg'].slice(0, -60), 'cursor.xml': 500, 'panzooms.xml': 404, 'polls.json': '[{', 'tldraw.json': 'null', 'captions.json': '{}', 'presentation_text.json': '7' });
	equal(r.problems.map(({ file, reason }) => `${file} ${reason}`).sort(),
		['cursor.xml unreachable', 'panzooms.xml missing', 'polls.json damaged', 'shapes.svg damaged']);
	ok(r.slides.length >= 2, 'slides before the fault');
	const cut = await loaded({ ...whole, 'panzooms.xml': panzoomsOf([[0, '0 0 160 90'], [5, '1 2 3 4']], true).slice(0, -30) });
	equal([cut.panzooms[0], cut.generation], [{ time: 0, x: 0, y: 0, w: 160, h: 90 }, 'tldraw2']);
});

test('a server that falls silent is not waited for', async () => {
	const silent = (signal) => new Promise((_, reject) => {
		signal.addEventListener('abort', () => reject(signal.reason));
	});
	const torn = (signal) => new Response(new ReadableStream({
		start(controller) {
			controller.enqueue(new TextEncoder().encode('[{'));
			signal.addEventListener('abort', () => controller.error(signal.reason));
		},
	}));
	const real = globalThis.setTimeout;
	globalThis.setTimeout = (work, ms) => real(work, ms / 100);
	try {
		const r = await loaded({ ...whole, 'external_videos.json': silent, 'polls.json': torn, 'deskshare/deskshare.webm': silent });
		equal(r.problems.map(({ file, reason }) => `${file} ${reason}`).sort(), ['deskshare/deskshare.webm unreachable', 'external_videos.json unreachable', 'polls.json unreachable']);
	} finally {
		globalThis.setTimeout = real;
	}
});

test('what is more than can be read is named', async () => {
	const many = (n, entry) => `[${Array(n).fill(entry).join()}]`;
	const r = await loaded({ ...whole, 'polls.json': many(50001, '{}'), 'external_videos.json': many(50000, '{}'),
		'tldraw.json': `{"1":{"shapes":${many(200001, '{"timestamp":1,"shape_data":{"id":"a"}}')}}}`,
		'shapes.svg': shapesOf(Array.from({ length: 20001 }, (_, i) => [`image${i}`, i, png(1)])),
		'slides_new.xml': `<popcorn>${'<chattimeline in="1" message="m"/>'.repeat(50001)}</popcorn>` });
	equal(r.problems.map(({ file, reason }) => `${file} ${reason}`).sort(),
		['polls.json too-large', 'shapes.svg too-large', 'slides_new.xml too-large', 'tldraw.json too-large', 'tldraw.json unknown-shape']);
});

test('the facts of a podcast are as bounded as those of a presentation', async () => {
	for (const [file, start] of [[metadata, 1530718721124], [metadata.replace('1530718721124', '1530718721124000000'), 1e14], [404, undefined]]) {
		const r = await withFiles({ '/podcast/r/audio.ogg?file': 'x', '/podcast/r/metadata.xml': file }, () => loadPodcast('r', 'audio.ogg'));
		equal([r.id, r.start?.getTime(), r.media.primary.sources[0].src], ['r', start, '/podcast/r/audio.ogg?file']);
	}
});

test('only media are needed', async () => {
	const r = await loaded(media);
	equal([r.generation, r.slides, r.chat, r.title], ['none', [], [], '']);
	equal(r.problems.map(({ file }) => file), ['metadata.xml', 'shapes.svg', 'panzooms.xml', 'cursor.xml', 'slides_new.xml']);
});

test('a recording that cannot be played says why', async () => {
	equal(await failure({}), 'LoadError missing');
	equal(await failure({ 'metadata.xml': metadata }), 'LoadError media');
	equal(await failure({ ...whole, 'video/webcams.webm': 503 }), 'LoadError network');
	equal(await failure({ ...whole, 'video/webcams.webm': new TypeError('fetch') }), 'LoadError network');
	const closed = new Response('', { status: 404, headers: { 'X-Recording-State': 'protected' } });
	equal(await failure({ 'metadata.xml': closed, 'video/webcams.webm': closed }), 'LoadError expired');
});

test('an empty file of media is none', async () => {
	equal(await failure({ ...whole, 'video/webcams.webm': new Response('', { headers: { 'Content-Length': '0' } }) }), 'LoadError media');
});

test('loading can be ended and tells how far it is', async () => {
	const end = new AbortController();
	end.abort(new Error('enough'));
	let said = '';
	await withFiles(whole, () => load('r', { signal: end.signal })).catch((error) => { said = error.message; });
	equal(said, 'enough');
	const parts = [];
	await withFiles(whole, () => load('r', { onProgress: (part) => parts.push(part) }));
	equal([parts.length > 10, parts[parts.length - 1]], [true, 1]);
});

test('a file of the whiteboard without drawings leaves the drawings of shapes.svg', async () => {
	const r = await loaded({ ...whole, 'tldraw.json': '{"bbb_version":"2.5.0"}' });
	equal(r.generation, 'svg');
	for (const [version, generation, width] of [['2.6.0-beta.1', 'tldraw1', 2048], ['2.6.1', 'tldraw1', 1440], ['2.7.3', 'tldraw1', 1440], ['3.0.0-rc.1', 'tldraw2', 1440], ['10.1', 'tldraw2', 1440]]) {
		const t = await loaded({ ...whole, 'panzooms.xml': panzoomsOf([], true), 'tldraw.json': JSON.stringify({ bbb_version: version }) });
		equal([t.generation, t.page.width], [generation, width], version);
	}
});

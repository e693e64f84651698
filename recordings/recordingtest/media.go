package recordingtest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// rate is how many pictures a second all films have.
const rate = 10

// Bits is how many squares stand in the lowest twentieth of each picture, from
// the left: white is 1, black is 0, the first is the highest bit, and all of
// them are the number of the picture. Time is that number divided by 10.
const Bits = 10

// Studio makes media with ffmpeg, each once.
type Studio struct {
	dir  string
	mu   sync.Mutex
	made map[string][]byte
}

// NewStudio returns a studio that works in dir. It fails if ffmpeg is not
// installed.
func NewStudio(dir string) (*Studio, error) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		return nil, fmt.Errorf("ffmpeg makes the media of recordings: %w", err)
	}
	return &Studio{dir: dir, made: map[string][]byte{}}, nil
}

// Webcams is the film of the cameras, with sound: a tone that beeps at every
// full second.
func (s *Studio) Webcams(ctx context.Context) ([]byte, error) {
	return s.film(ctx, "webcams.webm", person(240, 180), append([]string{"-f", "lavfi", "-i", sound}, opus...))
}

// Screen is the film of a shared screen, without sound.
func (s *Studio) Screen(ctx context.Context) ([]byte, error) {
	return s.film(ctx, "deskshare.webm", desktop(480, 270), nil)
}

// Audio is the sound alone.
func (s *Studio) Audio(ctx context.Context) ([]byte, error) {
	return s.make(ctx, "audio.webm", append([]string{"-f", "lavfi", "-i", sound}, opus...), nil)
}

// Podcast is the sound as the format podcast has it.
func (s *Studio) Podcast(ctx context.Context) ([]byte, error) {
	return s.make(ctx, "audio.ogg", append([]string{"-f", "lavfi", "-i", sound}, opus...), nil)
}

var (
	sound = fmt.Sprintf("sine=frequency=330:beep_factor=3:duration=%d", Length)
	opus  = []string{"-c:a", "libopus", "-ac", "1", "-b:a", "24k"}
)

// putMedia writes the films and sounds of the presentation.
func (r *Recording) putMedia(ctx context.Context, studio *Studio) error {
	media := map[string]func(context.Context) ([]byte, error){
		"video/webcams.webm": studio.Webcams, "deskshare/deskshare.webm": studio.Screen,
	}
	if r.Audio {
		delete(media, "video/webcams.webm")
		media["audio/audio.webm"] = studio.Audio
	}
	for name, record := range media {
		content, err := record(ctx)
		if err != nil {
			return err
		}
		r.Files["presentation/"+name] = content
	}
	return nil
}

// film encodes what draw paints for each picture.
func (s *Studio) film(ctx context.Context, name string, blank *image.Paletted, more []string) ([]byte, error) {
	size := blank.Bounds().Size()
	frames := make([]byte, 0, Length*rate*(size.X*size.Y+1024))
	for n := range Length * rate {
		frame := image.NewPaletted(blank.Bounds(), blank.Palette)
		copy(frame.Pix, blank.Pix)
		letters(frame, size.X/16, size.Y/12, size.X/80, 1, fmt.Sprintf("%04.1f", float64(n)/rate))
		code(frame, n)
		frames = appendPal8(frames, frame)
	}
	args := []string{"-f", "rawvideo", "-pix_fmt", "pal8", "-s", fmt.Sprintf("%dx%d", size.X, size.Y), "-r", fmt.Sprint(rate), "-i", "-"}
	args = append(args, more...)
	args = append(args, "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "150k", "-g", "20", "-pix_fmt", "yuv420p")
	return s.make(ctx, name, args, frames)
}

// appendPal8 adds a picture as ffmpeg's pal8 has it: the indexes, then 256
// colours of blue, green, red and alpha.
func appendPal8(to []byte, picture *image.Paletted) []byte {
	to = append(to, picture.Pix...)
	for i := range 256 {
		var c color.RGBA
		if i < len(picture.Palette) {
			c = picture.Palette[i].(color.RGBA)
		}
		to = append(to, c.B, c.G, c.R, c.A)
	}
	return to
}

// make runs ffmpeg, or returns what it made before.
func (s *Studio) make(ctx context.Context, name string, args []string, input []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if content, ok := s.made[name]; ok {
		return content, nil
	}
	file := filepath.Join(s.dir, name)
	args = append(append([]string{"-v", "error", "-y"}, args...), file)
	command := exec.CommandContext(ctx, "ffmpeg", args...)
	command.Stdin = bytes.NewReader(input)
	if out, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("ffmpeg %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s.made[name] = content
	return content, nil
}

// code paints the number of a picture.
func code(frame *image.Paletted, n int) {
	size := frame.Bounds().Size()
	for bit := range Bits {
		index := uint8(0)
		if n&(1<<(Bits-1-bit)) != 0 {
			index = 1
		}
		fill(frame, image.Rect(bit*size.X/Bits, size.Y*19/20, (bit+1)*size.X/Bits, size.Y), index)
	}
}

var (
	black = color.RGBA{0, 0, 0, 0xff}
	white = color.RGBA{0xff, 0xff, 0xff, 0xff}
)

// person is somebody before a wall.
func person(width, height int) *image.Paletted {
	picture := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{black, white, color.RGBA{0x35, 0x55, 0x6b, 0xff}, color.RGBA{0xe0, 0xb0, 0x8c, 0xff}, color.RGBA{0x8c, 0x2f, 0x39, 0xff}})
	fill(picture, picture.Bounds(), 2)
	disc(picture, width/2, height*11/10, height/3, 4)
	disc(picture, width/2, height/2, height/5, 3)
	return picture
}

// desktop is a screen with two windows.
func desktop(width, height int) *image.Paletted {
	picture := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{black, white, color.RGBA{0x2b, 0x3a, 0x55, 0xff}, color.RGBA{0xd9, 0xe2, 0xec, 0xff}})
	fill(picture, picture.Bounds(), 2)
	fill(picture, image.Rect(width/10, height/3, width/2, height*4/5), 3)
	fill(picture, image.Rect(width*6/10, height/4, width*9/10, height*3/5), 3)
	return picture
}

func disc(picture *image.Paletted, x, y, radius int, index uint8) {
	for dy := -radius; dy <= radius; dy++ {
		for dx := -radius; dx <= radius; dx++ {
			if at := image.Pt(x+dx, y+dy); dx*dx+dy*dy <= radius*radius && at.In(picture.Bounds()) {
				picture.SetColorIndex(at.X, at.Y, index)
			}
		}
	}
}

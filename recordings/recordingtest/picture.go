package recordingtest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
)

// Colours of the slides. Each page has a corner of its own colour, by which a
// picture of the screen tells which one is shown.
var (
	paper   = color.RGBA{0xf7, 0xf9, 0xfc, 0xff}
	ink     = color.RGBA{0x1d, 0x27, 0x33, 0xff}
	grey    = color.RGBA{0x5a, 0x67, 0x75, 0xff}
	corners = []color.RGBA{{0x0f, 0x5c, 0xc0, 0xff}, {0x1b, 0x87, 0x4b, 0xff}, {0xa4, 0x3b, 0x9c, 0xff}}
)

// Corner is the colour that the upper left of a page has, counted from 1.
func Corner(page int) color.RGBA { return corners[page-1] }

// png is a page as BBB up to 2.5 has it.
func (s slide) png(page int) string {
	picture := image.NewPaletted(image.Rect(0, 0, s.width, s.height), color.Palette{paper, ink, grey, corners[page-1]})
	unit := s.width / 160
	fill(picture, image.Rect(0, 0, 16*unit, 9*unit), 3)
	letters(picture, 10*unit, s.height/3, unit, 1, s.title)
	letters(picture, 10*unit, s.height/2, max(1, unit/2), 2, s.line)
	return encode(picture)
}

// svg is a page as BBB has it since 2.6.
func (s slide) svg(page int) string {
	c := corners[page-1]
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d">
<rect width="%[1]d" height="%[2]d" fill="#f7f9fc"/><rect width="%[3]d" height="%[4]d" fill="#%02[5]x%02[6]x%02[7]x"/>
<text x="%[3]d" y="%[8]d" font-family="sans-serif" font-size="%[4]d" font-weight="bold" fill="#1d2733">%[9]s</text>
<text x="%[3]d" y="%[10]d" font-family="sans-serif" font-size="%[11]d" fill="#5a6775">%[12]s</text>
</svg>
`, s.width, s.height, s.width/10, s.width/160*9, c.R, c.G, c.B, s.height/3, s.title, s.height/2, s.width/32, s.line)
}

func (s slide) thumbnail(page int) string {
	w, h := 176, 176*s.height/s.width
	if s.height > s.width {
		w, h = 136*s.width/s.height, 136
	}
	picture := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{paper, ink, grey, corners[page-1]})
	fill(picture, image.Rect(0, 0, w/10, h/10), 3)
	letters(picture, w/16, h/3, 1, 1, s.title)
	return encode(picture)
}

// placeholder is what shapes.svg refers to where there is no page.
func placeholder(width, height int) string {
	picture := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{paper, grey})
	fill(picture, image.Rect(width/3, height/3, 2*width/3, 2*height/3), 1)
	return encode(picture)
}

func encode(picture image.Image) string {
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil { // into memory: it cannot fail
		panic(err)
	}
	return out.String()
}

func fill(picture *image.Paletted, area image.Rectangle, index uint8) {
	area = area.Intersect(picture.Bounds())
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			picture.SetColorIndex(x, y, index)
		}
	}
}

// letters writes text at a place, each dot of a letter being as large as unit.
func letters(picture *image.Paletted, x, y, unit int, index uint8, text string) {
	for _, letter := range strings.ToUpper(text) {
		for row, bits := range glyphs[letter] {
			for column := range 5 {
				if bits&(1<<(4-column)) != 0 {
					fill(picture, image.Rect(x+column*unit, y+row*unit, x+(column+1)*unit, y+(row+1)*unit), index)
				}
			}
		}
		x += 6 * unit
	}
}

// glyphs are letters of five by seven dots, row by row from the top.
var glyphs = map[rune][7]byte{
	'0': {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}, '1': {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e},
	'2': {0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f}, '3': {0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e},
	'4': {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}, '5': {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e},
	'6': {0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}, '7': {0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08},
	'8': {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}, '9': {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c},
	'A': {0x0e, 0x11, 0x11, 0x11, 0x1f, 0x11, 0x11}, 'B': {0x1e, 0x11, 0x11, 0x1e, 0x11, 0x11, 0x1e},
	'C': {0x0e, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0e}, 'D': {0x1c, 0x12, 0x11, 0x11, 0x11, 0x12, 0x1c},
	'E': {0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x1f}, 'F': {0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x10},
	'G': {0x0e, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0f}, 'H': {0x11, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11},
	'I': {0x0e, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e}, 'L': {0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f},
	'M': {0x11, 0x1b, 0x15, 0x15, 0x11, 0x11, 0x11}, 'N': {0x11, 0x11, 0x19, 0x15, 0x13, 0x11, 0x11},
	'O': {0x0e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e}, 'P': {0x1e, 0x11, 0x11, 0x1e, 0x10, 0x10, 0x10},
	'R': {0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11}, 'S': {0x0f, 0x10, 0x10, 0x0e, 0x01, 0x01, 0x1e},
	'T': {0x1f, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04}, 'U': {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e},
	'V': {0x11, 0x11, 0x11, 0x11, 0x11, 0x0a, 0x04}, 'W': {0x11, 0x11, 0x11, 0x15, 0x15, 0x15, 0x0a},
	'Y': {0x11, 0x11, 0x11, 0x0a, 0x04, 0x04, 0x04}, '.': {0, 0, 0, 0, 0, 0x0c, 0x0c},
}

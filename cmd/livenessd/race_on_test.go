//go:build race

package main

// stride is how many frames of a long recording are played for one that is
// analysed. The race detector makes decoding ten times as slow, and a track
// that holds over every fourth frame holds over all.
const stride = 4

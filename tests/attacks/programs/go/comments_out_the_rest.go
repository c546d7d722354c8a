// opens a comment and a string that nothing closes
package main

{WRONG}

var x = `
/*

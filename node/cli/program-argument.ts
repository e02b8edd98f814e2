/** Say what names a program on the command line. */

export const programArgument = 'A name under programs/, the folder of a program, or a .wasm file.';

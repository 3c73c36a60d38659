/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The freestanding program of init/, as the bytes of its ELF file: what launch puts in a sealed memfd and runs. */
	.section .rodata
	.balign 64
	.global holm_init_image, holm_init_image_end
	.type holm_init_image, %object
	.type holm_init_image_end, %object
holm_init_image:
	.incbin INIT_IMAGE
	.size holm_init_image, . - holm_init_image
holm_init_image_end:
	.section .note.GNU-stack, "", %progbits

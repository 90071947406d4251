src_store_libstore_a_SOURCES += \
	src/store/image.h src/store/node.h \
	src/store/image_format.c src/store/image_format.h \
	src/store/image_node.c src/store/image_node.h \
	src/store/image_index.c src/store/image_index.h \
	src/store/image_read.c \
	src/store/image_build.c \
	src/store/image_check.c \
	src/store/image_check_index.c src/store/image_check_index.h \
	src/store/image_file.c \
	src/store/view.c \
	src/store/content_hash.c src/store/content_hash.h

# unit tests of image

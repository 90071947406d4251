# unit tests of control

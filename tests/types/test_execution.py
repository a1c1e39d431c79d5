from tfx_wine_ext.types.execution import PROCESS_KEY, RESULT_KEY, of_node


def test_the_keys_are_those_of_stored_runs():
    assert RESULT_KEY == "__execution_result__"
    assert PROCESS_KEY == "tfx_wine_ext_process"
    assert of_node("DriftReport") == "tfx_wine_ext_process:DriftReport"
